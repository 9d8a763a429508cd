import re

import msgspec

from densefog_core.errors import ValidationError


def _snake(k): return re.sub(r"([A-Z])", lambda m: "_"+m[1].lower(), k)
def converter(t, where):
    if t is None or t is dict: return None
    def conv(p):
        try: return msgspec.convert({_snake(k): v for k, v in p.items()}, t)
        except msgspec.ValidationError as e: raise ValidationError(f"Illegal request format: {e}", [{"path": "", "message": str(e)}]) from None
    return conv
def schema_validator(s, w): return lambda p: None
def json_schema(t): return {}
def validate_request(s): pass
