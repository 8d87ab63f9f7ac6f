"""Token ids kept on disk: the same as made anew, made once, never taken for what they are not, in bounded memory."""

from __future__ import annotations

import os
import pickle
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import filelock
import numpy as np
import pytest
import tokenizers
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.loader import worker_context
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder.backbones import tiny, train_tokenizer
from babelbatch.evaluation.encoding import encode
from babelbatch.storage.cache import cache_folder
from babelbatch.tokens import Tokens, cache, store, tokenise, tokenizing
from babelbatch.tokens import texts as texts_module
from babelbatch.tokens.texts import Texts
from preloaded import Preloaded, started_preloaded
from processes import PEAK, ended, python, until

TEXTS = ["red green blue", "green blue", "", "grün und blau", "红 绿 蓝"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, 200)


@pytest.fixture(scope="module")
def facts() -> tuple[str, ...]:
    """21,241 passages in eleven languages and eight scripts."""
    return load_corpus().passage_texts


@pytest.fixture(autouse=True)
def warnings_not_yet_given() -> None:
    tokenizing._warn_once.cache_clear()


def kept(
    root: Path, texts: Texts, tokenizer: PreTrainedTokenizerFast, *, prefix: str = "", max_length: int = 32
) -> Tokens:
    return tokenise(
        texts, tokenizer, prefix=prefix, max_length=max_length, description="tokenising passages", cache=root
    )


def lists(tokens: Tokens) -> list[list[int]]:
    return [piece.tolist() for piece in np.split(tokens.ids, tokens.offsets[1:-1])]


def entries(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir())


def refuse(*_: object) -> None:
    raise AssertionError("tokenised again")


class OnlyReadable:
    """Texts that have a length and can be gone through, and nothing else."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def test_eleven_languages_as_the_tokenizer_makes_them(facts, tmp_path):
    tokenizer = train_tokenizer(facts[:2000], 3000)
    expected = tokenizer([f"passage: {text}" for text in facts], truncation=True, max_length=24)["input_ids"]
    made = kept(tmp_path, OnlyReadable(facts), tokenizer, prefix="passage: ", max_length=24)
    assert lists(made) == expected
    assert {len(row) for row in expected} >= {17, 24}  # some are cut, others are not
    assert (made.ids.dtype, made.offsets.dtype, made.pad_id) == (np.int32, np.int64, 1)
    assert lists(tokenise(facts, tokenizer, prefix="passage: ", max_length=24, description="")) == expected


@pytest.mark.parametrize("side", ["left", "right"])
def test_cut_at_the_tokenizers_side(tokenizer, tmp_path, side):
    tokenizer = pickle.loads(pickle.dumps(tokenizer))
    tokenizer.truncation_side = side
    words = {"left": ["▁green", "▁blue"], "right": ["▁red", "▁green"]}[side]
    expected = [0, *tokenizer.convert_tokens_to_ids(words), 2]
    assert lists(kept(tmp_path, ["red green blue"], tokenizer, max_length=4)) == [expected]


def test_padding_asked_of_the_tokenizer_before_does_not_stay(tokenizer, tmp_path):
    tokenizer(TEXTS, padding="max_length", max_length=9)
    assert {len(row) for row in lists(kept(tmp_path, TEXTS, tokenizer))} == {2, 4, 5}


def test_no_texts(tokenizer, tmp_path):
    for _ in range(2):
        made = kept(tmp_path, [], tokenizer)
        assert (len(made), made.ids.tolist(), made.offsets.tolist()) == (0, [], [0])


def test_a_chunk_has_so_many_texts_or_characters(monkeypatch):
    monkeypatch.setattr(texts_module, "_CHUNK_TEXTS", 3)
    monkeypatch.setattr(texts_module, "_CHUNK_CHARACTERS", 10)
    texts = ["aaaa", "bbbb", "cccc", "", "", "", "d" * 11, "e", "f"]
    assert [[text[:1] for text in chunk] for chunk in texts_module.chunks(texts)] == [
        ["a", "b"], ["c", "", ""], [""], ["d"], ["e", "f"],
    ]  # fmt: skip


def test_small_chunks_change_nothing(tokenizer, tmp_path, monkeypatch):
    whole = kept(tmp_path / "whole", TEXTS, tokenizer)
    monkeypatch.setattr(texts_module, "_CHUNK_TEXTS", 2)
    assert lists(kept(tmp_path / "parts", TEXTS, tokenizer)) == lists(whole)
    assert [path.name for path in entries(tmp_path / "parts")] == [path.name for path in entries(tmp_path / "whole")]


def test_what_is_kept_is_not_made_again(tokenizer, tmp_path, monkeypatch):
    made = kept(tmp_path, TEXTS, tokenizer)
    monkeypatch.setattr(tokenizing, "batch_encoder", refuse)
    again = kept(tmp_path, tuple(TEXTS), pickle.loads(pickle.dumps(tokenizer)))
    assert lists(again) == lists(made) == tokenizer(TEXTS)["input_ids"]
    assert again.ids.flags.writeable is False
    with pytest.raises(AssertionError, match="tokenised again"):
        kept(tmp_path, TEXTS[1:], tokenizer)


def other_words(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    return train_tokenizer([*TEXTS, "violet violet violet"], 200)


def other_pad(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.pad_token = "<unk>"
    return tokenizer


def other_side(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.truncation_side = "left"
    return tokenizer


def special_tokens_as_text(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.split_special_tokens = True
    return tokenizer


def other_normalisation(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    return tokenizer


@pytest.mark.parametrize(
    "change",
    [other_words, other_pad, other_side, special_tokens_as_text, other_normalisation],
    ids=lambda f: f.__name__,
)
def test_another_tokenizer_is_another_entry(tokenizer, tmp_path, change: Callable):
    texts = [*TEXTS, "violet </s> RED green blue red green blue"]
    kept(tmp_path, texts, tokenizer, max_length=6)
    other = change(pickle.loads(pickle.dumps(tokenizer)))
    made = kept(tmp_path, texts, other, max_length=6)
    assert len(entries(tmp_path)) == 2
    assert lists(made) == other(texts, truncation=True, max_length=6)["input_ids"]
    assert made.pad_id == other.pad_token_id


@pytest.mark.parametrize(
    ("texts", "prefix", "max_length"),
    [
        (["red blue", "green"], "", 8),
        (["re", "dblue"], "", 8),
        (["redblue", ""], "", 8),
        (["blue", "red"], "", 8),
        (["red", "blue", ""], "", 8),
        (["red", "blue"], "green ", 8),
        (["red", "blue"], "", 9),
    ],
)
def test_other_texts_or_settings_are_another_entry(tokenizer, tmp_path, texts, prefix, max_length):
    kept(tmp_path, ["red", "blue"], tokenizer, max_length=8)
    made = kept(tmp_path, texts, tokenizer, prefix=prefix, max_length=max_length)
    assert len(entries(tmp_path)) == 2
    assert lists(made) == tokenizer([prefix + text for text in texts])["input_ids"]


@pytest.mark.parametrize(("module", "name"), [(tokenizers, "__version__"), (tokenizing, "FORMAT")])
def test_another_version_is_another_entry(tokenizer, tmp_path, monkeypatch, module, name):
    kept(tmp_path, TEXTS, tokenizer)
    monkeypatch.setattr(module, name, "0.0.1")
    kept(tmp_path, TEXTS, tokenizer)
    assert len(entries(tmp_path)) == 2


class WithATurn(PreTrainedTokenizerFast):
    """A tokenizer whose Python side has a say in the ids."""

    def _encode_plus(self, *arguments, **keywords):
        found = super()._encode_plus(*arguments, **keywords)
        found["input_ids"] = [row[::-1] if isinstance(row, list) else row for row in found["input_ids"]]
        return found


def test_a_tokenizer_that_is_partly_python_is_asked_itself(tokenizer, tmp_path):
    turned = WithATurn(tokenizer_object=tokenizer.backend_tokenizer, pad_token="<pad>")
    tokens = kept(tmp_path, TEXTS, turned)
    assert lists(tokens) == [row[::-1] for row in tokenizer(TEXTS)["input_ids"]]
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_with_a_python_component_is_not_kept(tokenizer, tmp_path):
    class Split:
        def pre_tokenize(self, pretok: tokenizers.PreTokenizedString) -> None:
            pretok.split(lambda _, text: text.split(" ", "removed"))

    tokenizer = pickle.loads(pickle.dumps(tokenizer))
    tokenizer.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.PreTokenizer.custom(Split())
    assert lists(kept(tmp_path, TEXTS, tokenizer)) == tokenizer(TEXTS)["input_ids"]
    assert list(tmp_path.iterdir()) == []


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def garbage(path: Path) -> None:
    path.write_bytes(b'{"format": 1, "files": {}}\n')


@pytest.mark.parametrize(
    ("harm", "file", "reason"),
    [
        (truncated, "ids.bin", "ids.bin has 83 bytes instead of 84"),
        (longer, "ids.bin", "ids.bin has 85 bytes instead of 84"),
        (flipped, "ids.bin", "ids.bin was altered"),
        (Path.unlink, "ids.bin", "ids.bin: No such file or directory"),
        (truncated, "offsets.bin", "offsets.bin has 47 bytes instead of 48"),
        (flipped, "offsets.bin", "offsets.bin was altered"),
        (Path.unlink, "offsets.bin", "offsets.bin: No such file or directory"),
        (truncated, "meta.json", "meta.json was altered"),
        (flipped, "meta.json", "meta.json was altered"),
        (garbage, "meta.json", "meta.json was altered"),
        (Path.unlink, "meta.json", "meta.json: No such file or directory"),
    ],
)
def test_damage_is_noticed_and_mended(tokenizer, tmp_path, caplog, harm: Callable, file, reason):
    expected = lists(kept(tmp_path, TEXTS, tokenizer))
    (entry,) = entries(tmp_path)
    harm(entry / file)
    assert lists(kept(tmp_path, TEXTS, tokenizer)) == expected
    assert caplog.messages == [f"{entry} is damaged ({reason}); tokenising passages again"]
    caplog.clear()
    kept(tmp_path, TEXTS, tokenizer)
    assert caplog.messages == []
    assert entries(tmp_path) == [entry]


def test_any_flipped_bit_is_noticed(tokenizer, tmp_path):
    kept(tmp_path, TEXTS, tokenizer)
    (entry,) = entries(tmp_path)
    assert cache.find_damage(entry) is None
    rng = random.Random(0)
    for path in sorted(entry.iterdir()):
        data = path.read_bytes()
        for place in range(len(data)):
            harmed = bytearray(data)
            harmed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(harmed)
            assert cache.find_damage(entry) is not None, f"{path.name}, byte {place}"
        path.write_bytes(data)
    assert cache.find_damage(entry) is None


def test_an_entry_under_another_name_is_not_taken(tokenizer, tmp_path, caplog):
    kept(tmp_path, ["red"], tokenizer)
    (red,) = entries(tmp_path)
    kept(tmp_path, ["blue"], tokenizer)
    (blue,) = set(entries(tmp_path)) - {red}
    for path in red.iterdir():
        (blue / path.name).write_bytes(path.read_bytes())
    assert lists(kept(tmp_path, ["blue"], tokenizer)) == tokenizer(["blue"])["input_ids"]
    assert caplog.messages == [f"{blue} is damaged (meta.json belongs to another entry); tokenising passages again"]


def test_a_folder_that_is_none_is_done_without(tokenizer, tmp_path, caplog):
    (tmp_path / "file").touch()
    for texts in (TEXTS, TEXTS[1:]):
        assert lists(kept(tmp_path / "file" / "tokens", texts, tokenizer)) == tokenizer(texts)["input_ids"]
    root = tmp_path / "file" / "tokens"
    assert caplog.messages == [
        f"token ids cannot be kept in {root} (Not a directory): they are made in memory, anew in every run; "
        "set BABELBATCH_CACHE to another folder"
    ]


def test_a_disk_without_locks_is_done_without(tokenizer, tmp_path, caplog, monkeypatch):
    def acquire(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    assert lists(kept(tmp_path, TEXTS, tokenizer)) == tokenizer(TEXTS)["input_ids"]
    assert caplog.messages == [
        f"token ids cannot be kept in {tmp_path} (FileSystem does not appear to support flock): they are made in "
        "memory, anew in every run; set BABELBATCH_CACHE to another folder"
    ]


def test_an_error_of_the_texts_is_not_one_of_the_cache(tokenizer, tmp_path):
    class Unreadable(OnlyReadable):
        reads = 0

        def __iter__(self) -> Iterator[str]:
            yield from self._texts
            self.reads += 1
            if self.reads == 2:
                raise OSError("the disk of the texts")

    with pytest.raises(OSError, match="the disk of the texts"):
        kept(tmp_path, Unreadable(TEXTS), tokenizer)
    assert entries(tmp_path) == []


def test_texts_that_change_meanwhile_are_refused(tokenizer, tmp_path):
    class Changing(OnlyReadable):
        def __iter__(self) -> Iterator[str]:
            self._texts = [*self._texts, "more"]
            return iter(self._texts)

    message = "the texts changed while they were being tokenised; leave their file alone and start again"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kept(tmp_path, Changing(TEXTS), tokenizer)
    assert entries(tmp_path) == []


def test_half_a_character_is_named(tokenizer, tmp_path):
    message = (
        "character 5 of the text 'half \\ud83d' is half of a surrogate pair, which is not Unicode; "
        "correct the file of the text"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kept(tmp_path, ["whole", "half \ud83d"], tokenizer)


def test_a_copy_for_another_process_maps_the_same_files(facts, tokenizer, tmp_path):
    made = kept(tmp_path, facts, tokenizer)
    pickled = pickle.dumps(made)
    copy = pickle.loads(pickled)
    assert len(pickled) < 1_000
    assert lists(copy) == lists(made)
    in_memory = Tokens(np.array([5, 6], np.int32), np.array([0, 2]), 1)
    assert lists(pickle.loads(pickle.dumps(in_memory))) == [[5, 6]]


class Rows(Dataset):
    """Each item is a padded batch, and how much of the mapped ids the worker has to itself."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def __len__(self) -> int:
        return 8

    def __getitem__(self, item: int) -> tuple[torch.Tensor, int, int]:
        padded = self.tokens.padded(np.arange(item, len(self.tokens), 8))
        return padded.input_ids, *of_the_map("ids.bin", "Private_Dirty", "Rss"), os.getpid()


def of_the_map(file: str, *fields: str) -> list[int]:
    """KiB of the mapping of a file in this process."""
    found = dict.fromkeys(fields, 0)
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(f"/{file}")
        elif inside and (field := line.split(":")[0]) in found:
            found[field] += int(line.split()[1])
    return list(found.values())


def test_workers_share_the_map(facts, tokenizer, tmp_path):
    tokens = kept(tmp_path, facts, tokenizer)
    loader = DataLoader(Rows(tokens), batch_size=None, num_workers=2, multiprocessing_context=worker_context())
    workers = set()
    for item, (ids, private, resident, worker) in enumerate(loader):
        assert torch.equal(ids, tokens.padded(np.arange(item, len(tokens), 8)).input_ids)
        assert (private, resident > 0) == (0, True)
        workers.add(worker)
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_pages_that_were_read_are_given_back(facts, tokenizer, tmp_path, monkeypatch):
    tokens = kept(tmp_path, facts, tokenizer)
    rows = np.arange(0, len(tokens), 4)[: 20 * 256]

    def resident() -> int:
        return of_the_map("ids.bin", "Rss")[0]

    expected = tokens.padded(rows).input_ids
    assert resident() > tokens.ids.nbytes // 1024 // 2
    monkeypatch.setattr(store, "_RESIDENT", tokens.ids.nbytes // 2)
    monkeypatch.setattr(store, "_BLOCK_TEXTS", 256)
    assert torch.equal(tokens.padded(rows).input_ids, expected)
    assert resident() == 0
    assert torch.equal(tokens.padded(rows).input_ids, expected)


def test_runs_keep_their_tokens(make_corpus, monkeypatch, tmp_path):
    """Training and evaluation use the cache without being asked to."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    corpus = make_corpus()
    encoder = tiny(corpus.passage_texts, vocab_size=100, hidden_size=16, layers=1, heads=2)
    BatchBuilder(TokenizedCorpus(corpus, encoder))
    vectors = encode(encoder, corpus.query_texts[:5], "query", token_budget=1000)
    assert len(entries(tmp_path / "tokens")) == 3
    monkeypatch.setattr(tokenizing, "batch_encoder", refuse)
    BatchBuilder(TokenizedCorpus(corpus, encoder))
    assert np.array_equal(encode(encoder, corpus.query_texts[:5], "query", token_budget=1000), vectors)


def test_the_folder_of_the_cache(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("BABELBATCH_CACHE", "~/kept")
    assert cache_folder("tokens") == Path("/home/someone/kept/tokens")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    if sys.platform == "linux":
        monkeypatch.setenv("BABELBATCH_CACHE", "")  # as good as not set
        assert cache_folder("tokens") == Path("/caches/babelbatch/tokens")
        monkeypatch.delenv("BABELBATCH_CACHE")
        assert cache_folder("tokens") == Path("/caches/babelbatch/tokens")


MANY_TEXTS = TEXTS * 1_000

# What several processes do with the same texts and tokenizer: each tokenizer that is put to use leaves an x in `used`.
PROCESS = """
import itertools, logging, resource, sys, time
from pathlib import Path
from babelbatch.encoder.backbones import train_tokenizer
from babelbatch.tokens import tokenise, tokenizing
from test_cache import MANY_TEXTS, TEXTS
root, task = Path(sys.argv[1]), sys.argv[2]
really = tokenizing.batch_encoder

def until(name):
    while not (root / name).exists():  # whoever started it ends it
        time.sleep(0.01)

class Said(logging.Handler):
    def emit(self, record):
        print(record.getMessage())
        if "waiting for it" in record.getMessage():
            (root / "waits").touch()

def encoder(*arguments):
    encode = really(*arguments)
    chunk = itertools.count(1)
    with (root / "used").open("a") as file:
        file.write("x")
    def with_stops(texts):
        if task == "together":
            until("waits")
        if task == "killed" and next(chunk) == 3:  # the first is written by now
            (root / "amid").touch()
            until("never")
        return encode(texts)
    return with_stops

tokenizing.batch_encoder = encoder
logging.getLogger("babelbatch").setLevel(logging.INFO)
logging.getLogger("babelbatch").addHandler(Said())
if task == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
made = tokenise(
    MANY_TEXTS, train_tokenizer(TEXTS, 200), prefix="", max_length=32, description="tokenising", cache=root / "tokens"
)
print(len(made), made.ids.tolist() == made.ids[:21].tolist() * 1_000, made.ids[:21].tolist())
"""


@pytest.fixture
def expected(tokenizer) -> str:
    """What such a process prints when all is well."""
    return f"5000 True {[id_ for row in tokenizer(TEXTS)['input_ids'] for id_ in row]}"


def start(root: Path, task: str) -> AbstractContextManager[Preloaded]:
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *filter(None, sys.path)])
    script = root / "process.py"
    script.write_text(PROCESS)
    return started_preloaded(script, root, task, cwd=root, env=os.environ | {"PYTHONPATH": path})


def printed(process: Preloaded) -> list[str]:
    output, errors = ended(process)
    assert process.returncode == 0, errors
    return output.splitlines()


@pytest.mark.slow
def test_two_at_once_make_it_once(expected, tmp_path):
    """The one that makes it goes on only when the other waits for it."""
    waiting = "another process is tokenising: waiting for it"
    with start(tmp_path, "together") as one, start(tmp_path, "together") as two:
        assert sorted(map(printed, (one, two))) == sorted([[expected], [waiting, expected]])
    assert (tmp_path / "used").read_text() == "x"


@pytest.mark.slow
def test_killed_amid(tokenizer, tmp_path, monkeypatch):
    with start(tmp_path, "killed") as process:
        until((tmp_path / "amid").exists, process)
    root = tmp_path / "tokens"
    (left,) = entries(root)
    assert left.suffix == ".tmp"
    assert (left / "ids.bin").stat().st_size > 0
    kept(root, ["another text"], tokenizer)
    assert not left.exists()  # whoever comes next tidies up
    left.mkdir()
    made = kept(root, MANY_TEXTS, tokenizer)
    assert lists(made) == tokenizer(TEXTS)["input_ids"] * 1_000
    assert made.mapping.folder == left.with_suffix("")
    assert not left.exists()
    monkeypatch.setattr(tokenizing, "batch_encoder", refuse)
    kept(root, MANY_TEXTS, tokenizer)


def test_what_another_process_is_building_is_left_alone(tokenizer, tmp_path):
    with cache._entry_lock(tmp_path, "other", "doing something"):
        (tmp_path / "other.tmp").mkdir()
        kept(tmp_path, TEXTS, tokenizer)
        assert (tmp_path / "other.tmp").exists()
    kept(tmp_path, TEXTS[1:], tokenizer)
    assert not (tmp_path / "other.tmp").exists()


@pytest.mark.slow
def test_full_disk(expected, tmp_path):
    root = tmp_path / "tokens"
    with start(tmp_path, "full") as process:
        warning, made = printed(process)
    assert warning == (
        f"token ids cannot be kept in {root} (File too large): they are made in memory, anew in every run; "
        "set BABELBATCH_CACHE to another folder"
    )
    assert made == expected
    assert entries(root) == []


MEMORY = """
import sys
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from babelbatch.tokens import tokenise

class Texts:
    def __init__(self, count):
        self.count = count
    def __len__(self):
        return self.count
    def __iter__(self):
        return (f"{number % 10} " * 48 for number in range(self.count))

words = {"<pad>": 0, **{str(digit): digit + 1 for digit in range(10)}}
backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>")
settings = dict(prefix="", max_length=64, description="", cache=Path(sys.argv[1]))
tokenise(Texts(20_000), tokenizer, **settings)  # now the threads and buffers are there
before = peak()
tokens = tokenise(Texts(int(sys.argv[2])), tokenizer, **settings)
print(len(tokens), tokens.ids.nbytes / 2**20, (peak() - before) / 1024)
"""


def memory_for(texts: int, root: Path) -> tuple[int, float, float]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    environment["MALLOC_ARENA_MAX"] = "1"  # memory that glibc holds for further threads differs from run to run
    count, size, growth = python(PEAK + MEMORY, root, str(texts), env=environment).stdout.split()
    return int(count), float(size), float(growth)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_texts(tmp_path):
    """180,000 more texts are 33 MiB of ids, twice that when arrays are joined, three times that as lists."""
    few, _, growth_of_few = memory_for(20_000, tmp_path)
    many, size, growth_of_many = memory_for(200_000, tmp_path)
    assert (few, many) == (20_000, 200_000)
    assert size > 35
    assert growth_of_many - growth_of_few < 16
