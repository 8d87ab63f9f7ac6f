"""Training speed: babelbatch beside sentence-transformers, a plain loop, and the same tokens without padding.

The same pairs, batches, loss, optimiser, lengths and precision on all sides, each in a process of its own, in turns;
each figure is the median over the turns. The first steps, which take memory for the first time, are not counted
(--warmup). The work is that of docs/performance.md: queries and whole paragraphs of MLQA-R.

    python bench/training_speed.py --model FOLDER --data-dir MLQA_R [--passage sentence] [--batch 64] [--rounds 7]

  sentence-transformers   its trainer (`SentenceTransformerTrainer`, MultipleNegativesRankingLoss), as it comes
  plain loop              encode whole padded batches, backward, step: no framework
  babelbatch              its learner under its trainer: the loader, chunks, telemetry and all callbacks
  babelbatch, unpadded    the same with encoder.attention=unpadded, one pass a side
  padding-free, serial    as many tokens in texts of equal length, without a loader, one forward and backward pass
                          after the other, with the masks of babelbatch's dropout

Without --model, a randomly initialised XLM-R base is trained (the same work as the published one); on a GPU that is the
case to look at: --precision bf16, and the share of the card's measured peak is printed.
"""

from __future__ import annotations

import argparse
import logging
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from torch.utils.data import SequentialSampler
from transformers import TrainerCallback, XLMRobertaConfig, XLMRobertaModel

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.corpora.lareqa import load_corpus
from babelbatch.encoder import Encoder, pretrained
from babelbatch.encoder.attention import use_attention
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.encoder.model import Settings
from babelbatch.loss import Contrastive
from babelbatch.loss.contrastive import contrastive_loss
from babelbatch.records import Corpus, Padded
from babelbatch.sampling import Sampling
from babelbatch.training.allocator import keep_freed_memory
from babelbatch.training.checkpoints import AtomicIO, Checkpoint
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.dropout import can_mask_fast, with_fast_dropout
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant
from babelbatch.training.telemetry import BatchTelemetry

LEARNING_RATE, TEMPERATURE = 2e-5, 0.05
MARK = "seconds of a step: "


class Work:
    """What is trained: the batches of an X-X run, the same for every side."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.corpus: Corpus = load_corpus(data_dir=options.data_dir, passage=options.passage)
        self.sampling = Sampling("x_x", alpha=1.0, batch_size=options.batch)
        self.batches = options.warmup + options.rounds * options.steps

    def encoder(self, attention: str | None = None) -> Encoder:
        length = self.options.length
        if self.options.model:
            return pretrained(
                self.options.model, pooling="mean", query_length=length, passage_length=length, attention=attention
            )
        torch.manual_seed(0)
        backbone = XLMRobertaModel(XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1))
        tokenizer = train_tokenizer(self.corpus.query_texts + self.corpus.passage_texts, 60_000)
        use_attention(backbone, attention)
        return Encoder(backbone, tokenizer, Settings(query_length=length, passage_length=length))

    def data(self, encoder: Encoder) -> PairData:
        inputs = TrainingInputs(self.corpus, self.sampling, encoder, seed=0, steps=self.batches)
        return PairData(inputs, validation_fraction=0, num_workers=self.options.workers)

    def autocast(self) -> object:
        half = self.options.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16) if half else nullcontext()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


Step = Callable[[float], None]  # told how many seconds a step took


def sentence_transformers_side(work: Work, after_step: Step) -> None:
    encoder = work.encoder()
    data = work.data(encoder)
    rows: dict[str, list[str]] = {"query": [], "passage": []}
    for step in range(work.batches):
        plan = data.training.sampler.plan(step)
        rows["query"] += [work.corpus.query_texts[row] for row in work.corpus.queries[plan.items, plan.query_languages]]
        rows["passage"] += [
            work.corpus.passage_texts[row] for row in work.corpus.passages[plan.items, plan.passage_languages]
        ]
    folder = tempfile.mkdtemp()
    encoder.towers["query"].backbone.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    transformer = Transformer(folder, max_seq_length=work.options.length)
    model = SentenceTransformer(
        modules=[transformer, Pooling(transformer.get_embedding_dimension(), "mean"), Normalize()],
        device=work.device.type,
    )

    class Ordered(SentenceTransformerTrainer):
        def get_batch_sampler(self, dataset: Dataset, batch_size: int, **_: object) -> object:
            return torch.utils.data.BatchSampler(SequentialSampler(dataset), batch_size, drop_last=True)

    class Clock(TrainerCallback):
        began = 0.0

        def on_train_begin(self, *_: object, **__: object) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            work.wait()
            after_step(time.perf_counter() - self.began)
            self.began = time.perf_counter()

    arguments = SentenceTransformerTrainingArguments(
        output_dir=folder, per_device_train_batch_size=work.options.batch, max_steps=work.batches,
        learning_rate=LEARNING_RATE, lr_scheduler_type="constant", bf16=work.options.precision == "bf16",
        save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=10, weight_decay=0.01,
        use_cpu=work.device.type == "cpu", dataloader_num_workers=work.options.workers, dataloader_pin_memory=False,
    )  # fmt: skip
    loss = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    dataset = Dataset.from_dict(rows)
    Ordered(model=model, args=arguments, train_dataset=dataset, loss=loss, callbacks=[Clock()]).train()


def babelbatch_side(work: Work, after_step: Step, attention: str | None = None) -> None:
    encoder = work.encoder(attention)
    data = work.data(encoder)
    if attention:
        data.forward_overhead = 10**9  # nothing to gain by chunks
    optimizer = partial(torch.optim.AdamW, lr=LEARNING_RATE, weight_decay=0.01)
    learner = Learner(encoder, Contrastive(TEMPERATURE), optimizer, constant, total_steps=work.batches)
    folder = Path(tempfile.mkdtemp())

    class Clock(pl.Callback):
        began = 0.0

        def on_train_start(self, *_: object) -> None:
            self.began = time.perf_counter()

        def on_train_batch_end(self, *_: object) -> None:
            work.wait()
            after_step(time.perf_counter() - self.began)
            self.began = time.perf_counter()

    trainer = pl.Trainer(
        accelerator="auto", devices=1, max_steps=work.batches, max_epochs=1, logger=False, log_every_n_steps=10,
        precision="bf16-mixed" if work.options.precision == "bf16" else "32-true", gradient_clip_val=1.0,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, plugins=AtomicIO(),
        callbacks=[BatchTelemetry(), Checkpoint(folder, {}), FiniteLoss(), Clock()],
    )  # fmt: skip
    with keep_freed_memory():
        trainer.fit(learner, data)


def plain_side(work: Work, after_step: Step) -> None:
    """Whole padded batches, nothing else."""
    encoder = work.encoder().to(work.device).train()
    data = work.data(encoder)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    for step in range(work.batches):
        began = time.perf_counter()
        plan = data.training.sampler.plan(step)
        batch = data.training.builder(plan, step, overhead=10**9).to(work.device)
        (chunk,) = batch.chunks
        queries, passages = (
            Padded(*(matrix[:, : int(mask.sum(dim=1).max())] for matrix in (chunk.input_ids[rows], mask)))
            for rows in (batch.queries, batch.candidates)
            for mask in [chunk.attention_mask[rows]]
        )
        with work.autocast():
            loss = contrastive_loss(encoder(queries, "query"), encoder(passages, "passage"), TEMPERATURE).value
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        work.wait()
        after_step(time.perf_counter() - began)


def padding_free_side(work: Work, after_step: Step) -> None:
    """Each batch's distinct texts in forward and backward passes without padding: as many tokens of one length as the
    batch has in texts of about that length (eighths of the batch, at their mean length), and one optimiser step."""
    encoder = work.encoder().to(work.device).train()
    data = work.data(encoder)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    builder: BatchBuilder = data.training.builder
    encode = with_fast_dropout(encoder) if can_mask_fast(encoder) else encoder
    for step in range(work.batches):
        batch = builder(data.training.sampler.plan(step), step, overhead=0)
        lengths = np.sort(np.concatenate([chunk.attention_mask.sum(dim=1).numpy() for chunk in batch.chunks]))
        shapes = [(len(part), max(1, round(float(part.mean())))) for part in np.array_split(lengths, 8) if len(part)]
        began = time.perf_counter()
        for rows, length in shapes:
            ids = torch.randint(5, 1000, (rows, length), device=work.device)
            with work.autocast():
                vectors = encode(Padded(ids, torch.ones_like(ids)), "passage")
            vectors.float().square().sum().backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        work.wait()
        after_step(time.perf_counter() - began)


def peak_flops(work: Work) -> float:
    """Matrix products a second of this device at the precision of the run, measured."""
    dtype = torch.bfloat16 if work.options.precision == "bf16" else torch.float32
    size = 8192 if work.device.type == "cuda" else 1024
    a, b = (torch.randn(size, size, device=work.device, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(10):
        work.wait()
        began = time.perf_counter()
        a @ b
        work.wait()
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


SIDES = {
    "sentence-transformers": sentence_transformers_side,
    "plain loop": plain_side,
    "babelbatch": babelbatch_side,
    "babelbatch, unpadded": partial(babelbatch_side, attention="unpadded"),
    "padding-free, serial": padding_free_side,
}


class Side:
    """A side in a process of its own, which takes a step when it is asked to."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, *sys.argv, "--side", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(self) -> float:
        """Seconds that one step took."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(MARK):
                return float(line.removeprefix(MARK))
        raise SystemExit(f"a side ended early: {self._process.args}")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def serve(work: Work, name: str) -> None:
    """Takes the side's steps one by one, each when a line is read."""

    def after_step(seconds: float) -> None:
        print(f"{MARK}{seconds}", flush=True)
        sys.stdin.readline()

    sys.stdin.readline()
    SIDES[name](work, after_step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--passage", choices=["context", "sentence"], default="context")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=180)
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1, help="steps of each side in a row")
    parser.add_argument("--warmup", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument(
        "--sides", nargs="+", choices=list(SIDES), help="all but unpadded on a CPU: each holds some GiB"
    )
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    work = Work(options)
    options.sides = options.sides or [side for side in SIDES if "unpadded" not in side or work.device.type == "cuda"]
    if options.side:
        serve(work, options.side)
        return
    sides = {name: Side(name) for name in options.sides}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        for _ in range(options.warmup):
            side.step()
    for _ in range(options.rounds):
        for name, side in sides.items():
            seconds[name].append(sum(side.step() for _ in range(options.steps)))
    for side in sides.values():
        side.end()

    encoder = work.encoder()
    data = work.data(encoder)
    counted = [data.training.builder(data.training.sampler.plan(s), s) for s in range(options.warmup, work.batches)]
    tokens = sum(batch.workload.real_tokens for batch in counted)
    whole = [
        data.training.builder(data.training.sampler.plan(s), s, overhead=10**9)
        for s in range(options.warmup, work.batches)
    ]
    padded = sum(
        len(rows) * int(mask.sum(dim=1).max())
        for batch in whole
        for rows in (batch.queries, batch.candidates)
        for mask in [batch.chunks[0].attention_mask[rows]]
    )
    ours = sum(batch.workload.padded_tokens for batch in counted)
    parameters = sum(p.numel() for n, p in encoder.named_parameters() if "embeddings" not in n)
    peak = peak_flops(work)
    print(
        f"{platform.processor() or platform.machine()}, {work.device.type}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; batch {options.batch}, {options.length} tokens, "
        f"precision {options.precision}; "
        f"{options.rounds} turns of {options.steps} steps\n"
        f"distinct tokens {tokens:,}; padded whole, repeats included, x{padded / tokens:.2f}, "
        f"in chunks x{ours / tokens:.2f}"
    )
    reference = statistics.median(seconds[options.sides[0]])
    pairs = options.batch * options.steps
    for name, times in seconds.items():
        middle = statistics.median(times)
        share = 6 * parameters * tokens / options.rounds / middle / peak
        print(
            f"{name:24} {pairs / middle:8.2f} pairs/s   x{reference / middle:5.2f}   {share:5.1%} of the measured peak "
            f"  (seconds: {', '.join(f'{t:.2f}' for t in times)})"
        )


if __name__ == "__main__":
    main()
