"""`python -m trainer_cli`: the same command line as `trainer`."""

from trainer_cli.cli.main import start

if __name__ == "__main__":
    start()
