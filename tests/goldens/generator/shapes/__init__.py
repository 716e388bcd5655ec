"""Published models at their full size, cut to a few layers of random quantised weights."""
