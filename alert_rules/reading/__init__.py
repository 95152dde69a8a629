"""From the located tree of a rule file to rules: one module for each part and form of the language."""
