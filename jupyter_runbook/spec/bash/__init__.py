"""Where values are data in a bash script.

`places` judges: by what `commands` make of their words, for which `programs` has the tables, and by which variables are
`carriers` of values; `tree` is what all of them ask of the syntax tree. Pure.
"""
