from . import newest
