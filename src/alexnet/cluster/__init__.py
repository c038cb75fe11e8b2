"""Jobs over shards: numbered pieces of work on the machines of a Ray cluster, merged in order.

Nothing here knows what the work is: a task makes bytes of a number, and the driver gets the bytes
of every number, in order, once each. Ray, which is imported when a cluster is opened, schedules and
repeats; what is done waits on the driver's disk until the result is whole.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
