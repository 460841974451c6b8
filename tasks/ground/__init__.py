"""Objects and relations: what masks and depth maps say together."""
