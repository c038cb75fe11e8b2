"""What `fuzz.py` is made of: whole files, ways to damage them, who reads them, who watches."""
