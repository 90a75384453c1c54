"""--name value, for the labs' programs."""
import argparse


def options(arguments, **defaults):
    """What was given, with the defaults' types; None must be given."""
    parser = argparse.ArgumentParser()
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), default=value, required=value is None,
                            type=str if value is None else type(value))
    return parser.parse_args(arguments)
