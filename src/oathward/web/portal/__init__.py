"""The patient portal: pages without script, in a process of their own, for patients and those who act for them."""
