"""Each folder of tests has the name of the folder that it tests; what crosses them lies here."""
