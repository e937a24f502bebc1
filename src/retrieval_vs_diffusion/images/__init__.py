"""Images and the table they travel in; knows neither models nor strategies."""
