"""What derctl would have done while it only looked: added up tick by tick, kept on disk, told in a report."""
