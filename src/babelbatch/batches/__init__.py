"""From a plan to tokenised batches: builder, chunks, loader, hard negatives, validation split, code switching."""
