"""`python -m alexnet` is the command `alexnet`."""

import sys

from alexnet.cli.main import main

sys.exit(main())
