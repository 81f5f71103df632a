"""`python -m trainer_cli`: the same command line as `trainer`."""

from trainer_cli.cli.main import main

if __name__ == "__main__":
    main()
