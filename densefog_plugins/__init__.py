"""The plugins that ship with densefog; each folder is one, with an entry point of its own."""
