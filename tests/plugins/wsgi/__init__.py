"""Tests of the server of the wsgi plugin, over real sockets."""
