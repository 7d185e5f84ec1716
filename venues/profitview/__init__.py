"""ProfitView: one private feed."""
