"""The `scenes` source: rendered rooms of solids with exact depth, masks and questions."""
