"""The packages that ``audiogen plugins new`` writes."""
