"""What a worker takes from its machine: a clock, native threads and a timer in C. A simulation puts its own here."""

from __future__ import annotations

import faulthandler
import time

from gevent import monkey

monotonic = time.monotonic
start_native_thread = monkey.get_original("_thread", "start_new_thread")
native_lock = monkey.get_original("_thread", "allocate_lock")
end_later = faulthandler.dump_traceback_later
end_no_more = faulthandler.cancel_dump_traceback_later
