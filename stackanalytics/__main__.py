"""``python -m stackanalytics`` is the command line."""

from stackanalytics.surfaces.cli import main

if __name__ == "__main__":
    main()
