"""The pipelines of the graph: each a pipeline.py that shows the flow and a nodes.py that does the work."""
