"""The keeper makes the emergency copy (``making``, of what ``proving`` lets through), and takes readings of it back (``readings``)."""
