"""`doctor`: whether all is there that a night needs. Each check is one function, in a module of its kind."""
