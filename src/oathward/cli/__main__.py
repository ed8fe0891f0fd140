"""``python -m oathward.cli`` is the ``oathward`` command."""

from oathward.cli.main import main

main()
