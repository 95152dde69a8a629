"""A made-up city with known truth: how many watchlisted plates, clones and convoys do the rules find?"""
