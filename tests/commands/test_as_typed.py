"""The commands, as a user types them: real processes, real training, on CPU."""

import json
import math
import shutil
import signal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from babelbatch.progress import percent_at_least
from commands import BIN, SMALL_TRANSFORMER, job, metrics, run, run_forked, weights
from processes import ended, finished, started, until

pytestmark = pytest.mark.slow

XQUAD_R = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def of_alpha(sweep: Path, alpha: float) -> Path:
    return job(sweep, sampling__alpha=alpha)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hybrid with alpha 0, 0.5 and 1, logged to W&B."""
    place = tmp_path_factory.mktemp("sweep")
    arguments = (
        "-m",
        "sampling=hybrid",
        "sampling.alpha=0,0.5,1",
        "logger=wandb",
        *SMALL_TRANSFORMER,
        "output_dir=hybrid",
    )
    done = run("babelbatch-train", *arguments, cwd=place)
    (place / "stdout").write_text(done.stdout)
    (place / "stderr").write_text(done.stderr)
    return place / "hybrid"


def test_alpha_1_is_x_x_and_alpha_0_is_x_y_bit_for_bit(sweep: Path, tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train", "-m", "sampling=x_y,x_x", "logger=none", *SMALL_TRANSFORMER, "output_dir=pure", cwd=tmp_path
    )
    pure = tmp_path / "pure"
    assert weights(of_alpha(sweep, 0)) != weights(of_alpha(sweep, 1))
    for alpha in (0, 1):
        assert weights(of_alpha(sweep, alpha)) == weights(of_alpha(pure, alpha))
        ours, theirs = metrics(of_alpha(sweep, alpha)), metrics(of_alpha(pure, alpha))
        assert {key: ours[key] for key in ours if key.startswith("world_facts/")} == {
            key: theirs[key] for key in theirs if key.startswith("world_facts/")
        }


def test_a_run_records_retrieval_on_validation_items(sweep: Path) -> None:
    found = [metrics(of_alpha(sweep, alpha)) for alpha in (0, 0.5, 1)]
    settings = ("monolingual", "crosslingual", "multilingual")
    for each in found:
        assert all(0 < each[f"validation/{setting}/map"] <= 1 for setting in settings)
    assert len({each["validation/multilingual/map"] for each in found}) == 3
    assert len({each["fingerprint/validation_queries"] for each in found}) == 1


def test_a_run_records_how_its_first_texts_are_encoded(sweep: Path) -> None:
    folder = of_alpha(sweep, 0.5)
    found = metrics(folder)
    assert found["encoded/pooling"] == "mean"
    for role in ("query", "passage"):
        tokens = found[f"encoded/{role}/tokens"]
        assert (tokens[0], tokens[-1]) == ("<s>", "</s>")
        assert "".join(tokens[1:-1]).replace("▁", " ").strip() == found[f"encoded/{role}/text"]
    assert "the first query as encoded: " in "".join((sweep.parent / f"std{out}").read_text() for out in ("out", "err"))
    assert not (folder / "untrained_encoder").exists()


def test_same_seed_same_run_another_seed_another(sweep: Path, tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train",
        "-m",
        "sampling=hybrid",
        "seed=0,1",
        "logger=none",
        *SMALL_TRANSFORMER,
        "output_dir=again",
        cwd=tmp_path,
    )
    assert weights(job(tmp_path / "again", seed=0)) == weights(of_alpha(sweep, 0.5))
    assert weights(job(tmp_path / "again", seed=1)) != weights(of_alpha(sweep, 0.5))


@pytest.mark.slow
def test_a_schedule_over_a_mixture(tmp_path: Path) -> None:
    """What a person types; how often each part was drawn is said, and alpha is the mean of the plan."""
    shared = "corpus.languages=[en,de,zh]"
    small = [
        f"corpus.parts.facts.{argument.partition('.')[2]}" if argument == shared else argument
        for argument in SMALL_TRANSFORMER
    ]
    done = run_forked(
        "babelbatch-train", "sampling=sequential", "sampling.switch_at=0.75", "corpus=mixture",
        "+corpus@corpus.parts.facts=world_facts", "+corpus@corpus.parts.english=world_facts", *small,
        "corpus.parts.english.languages=[en]", "logger=csv", "output_dir=mixed", cwd=tmp_path,
    )  # fmt: skip
    found = metrics(tmp_path / "mixed")
    assert (found["strategy"], found["alpha"], found["alpha_realised"]) == ("sequential", 0.75, 0.75)
    drawn = {name: found[name] for name in found if name.startswith("batches/")}
    assert list(drawn) == [f"batches/{part}/{kind}" for part in ("facts", "english") for kind in ("x_x", "x_y")]
    assert drawn["batches/facts/x_x"] + drawn["batches/english/x_x"] == 9
    assert (drawn["batches/facts/x_y"], drawn["batches/english/x_y"]) == (3, 0)
    assert "training sequential (alpha 1 to 0, switch, 0.75 on average) on facts+english: 3,862 items" in done.stdout
    assert (
        f"; batches from facts {drawn['batches/facts/x_x'] + 3} (x_x {drawn['batches/facts/x_x']}, x_y 3)"
        in done.stdout
    )


def test_a_run_leaves_everything_in_its_folder(sweep: Path) -> None:
    for alpha in (0.0, 0.5, 1.0):
        folder = of_alpha(sweep, alpha)
        found = metrics(folder)
        assert (found["strategy"], found["alpha"], found["seed"], found["steps"]) == ("hybrid", alpha, 0, 12)
        assert 0 <= found["alpha_realised"] <= 1
        assert found["alpha_realised"] == alpha or alpha == 0.5
        assert yaml.safe_load((folder / "config.yaml").read_text())["output_dir"] == str(folder)
        assert {path.name for path in (folder / "checkpoints").iterdir()} == {"step-00000012.ckpt"}
        assert len(list(folder.rglob("*.ckpt"))) == 1  # and Lightning keeps none elsewhere
        assert (folder / "world_facts_map.png").read_bytes()[:4] == b"\x89PNG"
        table = pq.read_table(folder / "per_query.parquet")
        pool = table.filter(pc.equal(table["setting"], "multilingual"))
        assert len(pool) == len(table) / 4  # three cells and the pool score each question
        by_language = pool.group_by("query_language").aggregate([("map", "mean")])["map_mean"].to_pylist()
        assert sum(by_language) / 3 == pytest.approx(found["world_facts/multilingual/map"], abs=1e-12)
    stdout = (sweep.parent / "stdout").read_text()
    assert stdout.count("hybrid") >= 3
    assert "Results: " in stdout
    assert (sweep / "comparison.md").read_text().count("| hybrid |") == 3
    assert Path(stdout.splitlines()[-1].strip()).samefile(sweep / "report" / "report.html")
    assert "X-X (alpha=1)" in (sweep / "report" / "report.html").read_text(encoding="utf-8")
    assert "Traceback" not in (sweep.parent / "stderr").read_text()


def test_curves_are_logged_by_batch_kind(sweep: Path) -> None:
    rows = (of_alpha(sweep, 0.5) / "csv" / "metrics.csv").read_text().splitlines()
    names = rows[0].split(",")
    for name in (
        "train/loss", "train/loss/x_x", "train/loss/x_y", "train/masked_rate/x_x", "train/masked_rate/x_y",
        "train/alpha", "train/temperature", "train/learning_rate",
        "validation/loss", "validation/loss/x_x", "validation/loss/x_y",
        "world_facts/multilingual/map",
    ):  # fmt: skip
        values = [row.split(",")[names.index(name)] for row in rows[1:]]
        assert any(value != "" and math.isfinite(float(value)) for value in values), name


def test_one_wandb_run_a_job(sweep: Path) -> None:
    """Read back by W&B's own tool: config, group, scores, table and picture."""
    ids = set()
    for alpha in (0.0, 0.5, 1.0):
        (folder,) = (of_alpha(sweep, alpha) / "wandb").glob("offline-run-*")
        ids.add(folder.name.rsplit("-", 1)[1])
        record = json.loads(finished(BIN / "wandb", "leet", "inspect", "--summary", "--json", folder).stdout)
        text = json.dumps(record)
        assert record["config"]["strategy"] == "hybrid"
        assert record["config"]["alpha"] == alpha
        assert "hybrid" in text
        assert (
            record["summary"]["world_facts/multilingual/map"]
            == metrics(of_alpha(sweep, alpha))["world_facts/multilingual/map"]
        )
        assert list(folder.glob("files/media/table/world_facts/cells*.json"))
        assert list(folder.glob("files/media/images/world_facts/map_by_language*.png"))
    assert len(ids) == 3


def test_evaluate_finds_the_run_s_own_numbers(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in training: rounding decides the ranks of texts that nearly tie
    trained = of_alpha(sweep, 0.5)
    languages = "benchmarks.world_facts.languages=[en,de,zh]"
    sources = {
        "run": [f"checkpoint={trained}"],
        "ckpt": [f"checkpoint={trained / 'checkpoints' / 'step-00000012.ckpt'}"],
        "folder": ["encoder=local", f"encoder.name_or_path={trained / 'encoder'}"],
    }
    expected = {key: value for key, value in metrics(trained).items() if key.startswith("world_facts/")}
    for name, arguments in sources.items():
        done = run_forked("babelbatch-evaluate", *arguments, languages, f"output_dir={name}", cwd=tmp_path)
        found = metrics(tmp_path / name)
        assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9), name
        facts = {"strategy": "hybrid", "alpha": 0.5, "seed": 0} if name != "folder" else {}
        assert {key: found[key] for key in ("strategy", "alpha", "seed") if key in found} == facts
        assert "multilingual" in done.stdout
        assert len(list((tmp_path / name / "wandb").glob("offline-run-*"))) == 1
        assert "world_facts/multilingual/map" in (tmp_path / name / "csv" / "metrics.csv").read_text()


def test_evaluation_by_search(sweep: Path, tmp_path: Path) -> None:
    trained = of_alpha(sweep, 0.5)
    arguments = (f"checkpoint={trained}", "benchmarks.world_facts.languages=[en,de,zh]", "evaluation=search")
    run_forked("babelbatch-evaluate", *arguments, "output_dir=exact", cwd=tmp_path)
    expected, exact = metrics(trained), metrics(tmp_path / "exact")
    scores = [key for key in exact if key.startswith("world_facts/")]
    assert {key.split("/")[2] for key in scores} >= {"ndcg@10", "recall@100", "map@20", "same_language@10"}
    assert not [key for key in scores if "/map/" in f"{key}/" or "rank_distance" in key]
    for key in scores:  # a vocabulary of 2,000 cannot tell all texts apart, and those tie
        assert exact[key] == pytest.approx(expected[key], abs=0.01), key
    assert exact["search/world_facts"] == "Exact"
    assert (tmp_path / "exact" / "world_facts_ndcg_10.png").read_bytes()[:4] == b"\x89PNG"

    done = run_forked("babelbatch-evaluate", *arguments, "index@evaluation.index=ivf", "output_dir=ivf", cwd=tmp_path)
    found = metrics(tmp_path / "ivf")
    assert found["search/world_facts"] == "IVF"
    assert 0.5 < found["search_recall/world_facts/all"] <= 1
    recall = percent_at_least(found["search_recall/world_facts/all"], 1)
    assert " ".join(f"finds {recall} over the pool".split()) in " ".join(done.stdout.split())
    run_forked("babelbatch-report", f"runs=[{tmp_path / 'ivf'}]", cwd=tmp_path)
    page = (tmp_path / "ivf" / "report" / "report.html").read_text(encoding="utf-8")
    assert "multilingual nDCG@10" in page


def test_train_on_mlqa_r_test_on_xquad_r(shared_data: Path, tmp_path: Path) -> None:
    """A researcher's first run on published files; every key that DESIGN names is there."""
    run_forked(
        "babelbatch-train", "experiment=mlqa_r", f"corpus.data_dir={shared_data / 'mlqa-r'}", "corpus.negatives=1",
        f"benchmarks.xquad_r.data_dir={shared_data / 'xquad-r'}", "encoder=tiny", "encoder.hidden_size=32",
        "encoder.layers=1", "sampling.batch_size=24", "trainer.max_steps=8", "trainer.val_check_interval=4",
        "logger=csv", "output_dir=out",
        cwd=tmp_path,
    )  # fmt: skip
    found = metrics(tmp_path / "out")
    expected = set()
    for metric in ("map", "map@20", "mrr@100", "ndcg@10", "ndcg@20", "recall@1", "recall@10", "recall@100"):
        for setting in ("monolingual", "crosslingual", "multilingual"):
            expected |= {f"xquad_r/{setting}/{metric}", *(f"xquad_r/{setting}/{metric}/{q}" for q in XQUAD_R)}
        expected |= {f"xquad_r/crosslingual/{metric}/{q}-{c}" for q in XQUAD_R for c in XQUAD_R if q != c}
    biases = ("rank_distance", "rank_distance_normalised", "language_preference", "same_language@10")
    biases += ("same_language_lift@10", "mrc@10", "peer@100")
    for metric in biases:
        expected |= {f"xquad_r/multilingual/{metric}", *(f"xquad_r/multilingual/{metric}/{q}" for q in XQUAD_R)}
    scores = {key: value for key, value in found.items() if key.startswith("xquad_r/")}
    expected |= {f"xquad_r/multilingual/top10_share/{q}-{c}" for q in XQUAD_R for c in XQUAD_R}
    assert set(scores) == expected
    assert len(expected) == 8 * (3 * 12 + 110) + 7 * 12 + 121
    assert all(math.isfinite(value) and (value >= 0 or "mrc" in key) for key, value in scores.items())
    assert found["languages/xquad_r"] == sorted(XQUAD_R)
    assert "sentence" in found["protocol/xquad_r"]
    assert found["fingerprint/xquad_r"]
    assert found["seconds/train"] > 0
    config = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert config["corpus"]["data_dir"] == str(shared_data / "mlqa-r")


def test_a_whole_paragraph_as_passage(shared_data: Path, tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train", "corpus=lareqa", f"corpus.data_dir={shared_data / 'mlqa-r'}", "corpus.passage=context",
        "corpus.languages=[en,de]", "benchmarks.world_facts.languages=[en,de]", "encoder=static",
        "sampling.batch_size=16", "trainer.max_steps=3", "trainer.val_check_interval=3", "logger=none",
        "output_dir=out",
        cwd=tmp_path,
    )  # fmt: skip
    assert metrics(tmp_path / "out")["steps"] == 3


def test_a_benchmark_s_metric_can_be_monitored(tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train", *SMALL_TRANSFORMER, "callbacks=early_stopping", "monitor=world_facts/multilingual/map",
        "callbacks.evaluate.during_training=true", "trainer.accumulate_grad_batches=2", "loss.learn_temperature=true",
        "loss.symmetric=true", "encoder.shared=false",
        "encoder.dimensions=16", "scheduler=cosine", "corpus.negatives=1", "data.num_workers=1", "logger=csv",
        "output_dir=out",
        cwd=tmp_path,
    )  # fmt: skip
    rows = (tmp_path / "out" / "csv" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("world_facts/multilingual/map")
    values = [float(row.split(",")[column]) for row in rows[1:] if row.split(",")[column]]
    assert len(values) == 3  # after 6 and 12 steps, and the final evaluation of the better of the two
    found = metrics(tmp_path / "out")
    assert found["world_facts/multilingual/map"] == pytest.approx(max(values[:-1]), abs=1e-9)
    assert found["evaluated_step"] == 6 * (1 + values.index(max(values[:-1])))
    assert (tmp_path / "out" / "encoder" / "passage" / "model.safetensors").exists()


def test_a_job_that_cannot_run_says_why_and_the_others_run(tmp_path: Path) -> None:
    done = run_forked(
        "babelbatch-train", "-m", *SMALL_TRANSFORMER, "sampling=x_x", "sampling.batch_size=16,5000", "logger=none",
        "output_dir=out", cwd=tmp_path, code=2,
    )  # fmt: skip
    message = "babelbatch: corpus: an X-X batch in 'en' needs 5000 items, there are "
    assert message in done.stderr
    assert "lower sampling.batch_size or leave the language out of sampling.languages" in done.stderr
    assert f"  finished  {job(tmp_path / 'out', sampling__batch_size=16).name}\n" in done.stdout
    failed = job(tmp_path / "out", sampling__batch_size=5000)
    assert f"  failed    {failed.name}: corpus: an X-X batch in 'en' needs 5000 items, there are " in done.stdout
    assert "Traceback" in (failed / "train.log").read_text()
    assert "Traceback" not in done.stderr
    assert metrics(job(tmp_path / "out", sampling__batch_size=16))["steps"] == 12


def test_validating_more_often_changes_no_weight(sweep: Path, tmp_path: Path) -> None:
    often = [*SMALL_TRANSFORMER, "trainer.val_check_interval=3", "logger=none", "output_dir=often"]
    run_forked("babelbatch-train", "sampling=hybrid", *often, cwd=tmp_path)
    assert weights(tmp_path / "often") == weights(of_alpha(sweep, 0.5))


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    """A second command into the same folder is refused; nothing of the first is touched, and none of it is shown."""
    small = [*SMALL_TRANSFORMER, "logger=none", "trainer.max_steps=2", "output_dir=out"]
    run_forked("babelbatch-train", *small, cwd=tmp_path)
    before = (weights(tmp_path / "out"), metrics(tmp_path / "out"))
    message = f"  - output_dir: {tmp_path / 'out'} has another run in it; choose another folder, or remove that one\n"
    for command, arguments, difference in (
        ("babelbatch-train", [*small, "sampling=x_y"], "sampling.alpha: 0.5 there, 0 here"),
        ("babelbatch-evaluate", ["checkpoint=out", "output_dir=out", "logger=none"], "seed: 0 there, not set here"),
    ):
        done = run_forked(command, *arguments, cwd=tmp_path, code=2)
        assert message in done.stderr
        assert f"  - {difference}\n" in done.stderr
        assert "hybrid" not in done.stdout
    assert (weights(tmp_path / "out"), metrics(tmp_path / "out")) == before


def test_what_is_not_a_finished_run_is_not_evaluated(sweep: Path, tmp_path: Path) -> None:
    done = run_forked("babelbatch-evaluate", f"checkpoint={sweep}", "logger=none", "output_dir=a", cwd=tmp_path, code=2)
    names = ", ".join(sorted(of_alpha(sweep, alpha).name for alpha in (0, 0.5, 1)))
    assert f"checkpoint: {sweep} is not a run; it is a sweep; name one of its runs: {names}" in done.stderr
    cut = tmp_path / "cut"
    shutil.copytree(of_alpha(sweep, 0), cut)
    (cut / "metrics.json").unlink()
    done = run_forked("babelbatch-evaluate", "checkpoint=cut", "logger=none", "output_dir=b", cwd=tmp_path, code=2)
    assert "the run in cut did not finish; it left cut/checkpoints/step-00000012.ckpt: name one of them" in done.stderr


def test_interrupted_from_the_keyboard(tmp_path: Path) -> None:
    command = [
        BIN / "babelbatch-train",
        *SMALL_TRANSFORMER,
        "logger=none",
        "trainer.max_steps=100000",
        "output_dir=out",
    ]
    log = tmp_path / "out" / "train.log"
    with started(*command, cwd=tmp_path) as process:
        until(lambda: log.exists() and "step 6 of" in log.read_text(), process)
        process.send_signal(signal.SIGINT)
        _, stderr = ended(process)
    assert process.returncode == 130, stderr
    assert (
        f"babelbatch: interrupted (SIGINT); {tmp_path / 'out'} is not finished; run the same command again to resume"
        in stderr
    )
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_training_on_the_test_set_is_refused(tmp_path: Path) -> None:
    leaky = [*SMALL_TRANSFORMER, "corpus.split_seed=1", "logger=none", "trainer.max_steps=2", "output_dir=out"]
    done = run_forked("babelbatch-train", *leaky, cwd=tmp_path, code=2)
    assert "queries of benchmark world_facts are in the corpus world_facts, apart from case," in done.stderr
    run_forked("babelbatch-train", *leaky, "train_on_test=true", cwd=tmp_path)
    assert metrics(tmp_path / "out")["steps"] == 2


@pytest.mark.parametrize("case", ["data", "encoder"])
def test_bad_files_end_in_exit_code_2_without_traceback(case: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    if case == "data":
        (folder / "en.json").write_text('{"data": [{"paragraphs": [')
        arguments = ["corpus=lareqa", f"corpus.data_dir={folder}"]
        message = f"babelbatch: {folder}/en.json, line 1, column 27: not valid JSON (Expecting value); "
    else:
        (folder / "config.json").write_text("{}")
        arguments = ["encoder=local", f"encoder.name_or_path={folder}"]
        message = (
            f"babelbatch: encoder.name_or_path: {folder} has no weights (model.safetensors or pytorch_model.bin); "
        )
    done = run_forked("babelbatch-train", *arguments, "logger=none", "output_dir=out", cwd=tmp_path, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in (tmp_path / "out" / "traceback.txt").read_text()  # for whoever wants to know where
    assert not (tmp_path / "out" / "metrics.json").exists()


@pytest.mark.parametrize("root", ["train", "evaluate", "mine"])
def test_help_begins_with_what_the_command_does(root: str, tmp_path: Path) -> None:
    command = f"babelbatch-{root}"
    shown = run_forked(command, "--help", cwd=tmp_path).stdout
    usage, _, does, example, *_ = shown.splitlines()
    assert usage == f"{command} [-m] [GROUP=OPTION ...] [KEY=VALUE ...]"
    assert does.endswith(", for example")
    assert example.startswith(f"  {command} ")
    assert "encoder: bge_m3, bm25" in shown
    assert "\nname: " in shown  # the configuration
