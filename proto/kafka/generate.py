#!/usr/bin/env python3
"""Generates the C++ codec of Kafka's messages from the schemas beside this file.

  generate.py message SCHEMA OUT_DIR     OUT_DIR/<schema>.h and .cc: structs, Decode, Encode
  generate.py apis OUT_DIR SCHEMA...     OUT_DIR/api_key.h and .cc: ApiKey and the table of APIs
  generate.py errors CODES OUT_DIR       OUT_DIR/error_code.h and .cc: ErrorCode

docs/codec.md says what a schema looks like and what the generated code promises.
"""
import pathlib
import sys

sys.dont_write_bytecode = True  # The source folder stays as it was checked out.

from messages import header_file, source_file  # noqa: E402
from schema import parse_schema  # noqa: E402
from tables import api_files, error_files  # noqa: E402


def main(arguments):
    command, paths = arguments[0], [pathlib.Path(a) for a in arguments[1:]]
    if command == "message":
        out, stem = paths[1], paths[0].stem
        schema = parse_schema(paths[0])
        files = header_file(schema), source_file(schema)
    elif command == "apis":
        out, stem = paths[0], "api_key"
        files = api_files([parse_schema(path) for path in paths[1:]])
    elif command == "errors":
        out, stem = paths[1], "error_code"
        files = error_files(paths[0])
    else:
        raise SystemExit(__doc__)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{stem}.h").write_text(files[0])
    (out / f"{stem}.cc").write_text(files[1])


if __name__ == "__main__":
    main(sys.argv[1:])
