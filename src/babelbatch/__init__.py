"""babelbatch: what should a contrastive batch be made of, so that one multilingual retriever serves every language?"""

__version__ = "0.1.0"
