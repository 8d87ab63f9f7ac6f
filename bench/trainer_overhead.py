"""What Lightning and our callbacks add to a step: the run as it is beside a bare loop with the same work, in turns.

    python bench/trainer_overhead.py [--steps 20] [--rounds 7] [--hidden 256] [--layers 4] [--batch 32]

Bare loop: the same batches from the same loader, loss, backward, clipping, optimiser and schedule; no trainer, no
callback, no telemetry, no log. Both sides begin anew in each turn; the medians of whole turns are compared.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import tiny
from babelbatch.loggers.csv_curves import csv_logger
from babelbatch.loss import Contrastive
from babelbatch.sampling import Sampling
from babelbatch.training.checkpoints import AtomicIO, Checkpoint
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import linear
from babelbatch.training.telemetry import BatchTelemetry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    corpus = load_corpus()
    texts = corpus.query_texts + corpus.passage_texts

    def parts() -> tuple[Learner, PairData]:
        torch.manual_seed(0)
        encoder = tiny(texts, vocab_size=4000, hidden_size=options.hidden, layers=options.layers)
        optimizer = partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01)
        learner = Learner(encoder, Contrastive(), optimizer, linear, options.steps)
        sampling = Sampling("hybrid", alpha=0.5, batch_size=options.batch)
        inputs = TrainingInputs(corpus, sampling, encoder, seed=0, steps=options.steps)
        return learner, PairData(inputs, validation_fraction=0)

    class Clock(pl.Callback):
        began = ended = 0.0

        def on_train_start(self, *_: object) -> None:
            self.began = time.perf_counter()

        def on_train_batch_end(self, *_: object) -> None:
            self.ended = time.perf_counter()

    def trainer() -> float:
        learner, data = parts()
        folder, clock = Path(tempfile.mkdtemp()), Clock()
        pl.Trainer(
            accelerator="cpu", max_steps=options.steps, max_epochs=1, logger=csv_logger(str(folder)),
            log_every_n_steps=10, gradient_clip_val=1.0, enable_progress_bar=False, enable_model_summary=False,
            use_distributed_sampler=False, plugins=AtomicIO(),
            callbacks=[BatchTelemetry(), Checkpoint(folder, {}), FiniteLoss(), clock],
        ).fit(learner, data)  # fmt: skip
        return clock.ended - clock.began

    def bare() -> float:
        learner, data = parts()
        learner.train()
        configured = learner.configure_optimizers()
        optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        loader = data.train_dataloader()
        began = time.perf_counter()
        for number, batch in enumerate(loader):
            loss = learner.training_step(batch, number)["loss"]
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        return time.perf_counter() - began

    sides = {"bare loop": bare, "trainer": trainer}
    for side in sides.values():
        side()
    seconds = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            seconds[name].append(side())
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        print(f"{name:10} {1000 * middle[name] / options.steps:8.2f} ms a step   "
              f"(seconds a turn: {', '.join(f'{t:.2f}' for t in times)})")  # fmt: skip
    print(f"overhead {middle['trainer'] / middle['bare loop'] - 1:+.1%}, "
          f"{1000 * (middle['trainer'] - middle['bare loop']) / options.steps:+.2f} ms a step")  # fmt: skip


if __name__ == "__main__":
    main()
