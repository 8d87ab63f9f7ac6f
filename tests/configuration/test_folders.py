"""The resolvers of the shipped files: folders, learning rates, hashes."""

from pathlib import Path

from omegaconf import OmegaConf

from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import (
    better,
    job_folder,
    learning_rate_for,
    register,
    run_folder,
)
from babelbatch.jobs.plan import check_jobs


def test_resolvers() -> None:
    monitors = ("validation/loss/x_y", "x/multilingual/map", "x/multilingual/rank_distance/de")
    assert [better(monitor) for monitor in monitors] == ["min", "max", "min"]
    assert better("glossary/multilingual/map") == "max"  # a benchmark, whatever it is called
    targets = ("babelbatch.encoder.pretrained", "babelbatch.encoder.tiny", "babelbatch.encoder.static")
    assert [learning_rate_for(target) for target in targets] == [3e-5, 1e-3, 1e-2]


def test_a_job_s_folder_says_what_it_overrides_and_what_it_is() -> None:
    cfg = OmegaConf.create({"output_dir": None, "seed": 1})
    digits = config_hash(cfg)[:8]

    def named(overrides: str) -> str:
        name = job_folder(overrides, _root_=cfg)
        assert name.endswith(f"_{digits}")
        return name.removesuffix(f"_{digits}")

    assert named("++sampling.alpha=0.25,++seed=1,sampling=hybrid") == "hybrid_alpha-0.25_seed-1"
    assert named("") == "default"
    assert named("++encoder.name_or_path=/a/b c,++corpus.languages=[en,de]") == "name_or_path-b-c_languages-en_de"
    assert named("++encoder.name_or_path=multirun/mine/x_x_0f3a/encoder/") == "name_or_path-x_x_0f3a"
    assert named("++encoder.name_or_path=team/bert,++teacher=~/t/m") == "name_or_path-bert_m"
    assert named("++a.files=[/x/one.csv,/y/two.csv],++b.c={d:/p/q}") == "files-one.csv_two.csv_c-d-q"
    assert named("++logger.wandb.tags=[a,b],logger=csv,++data.num_workers=2,~callbacks.last") == "callbacks.last"
    assert len(job_folder("x" * 500, _root_=cfg)) <= 100
    assert run_folder(None, "demo", "sampling=x_x", _root_=cfg) == f"multirun/demo/x_x_{digits}"
    assert run_folder("mine", "demo", "sampling=x_x", _root_=cfg) == "mine"


def test_a_job_goes_on_in_a_folder_with_its_former_name(tmp_path: Path) -> None:
    cfg = OmegaConf.create({"output_dir": str(tmp_path), "name": "x", "seed": 1})
    digits = config_hash(cfg)[:8]
    overrides = "++encoder.name_or_path=/a/b"
    now, former = f"name_or_path-b_{digits}", f"name_or_path-a-b_{digits}"
    assert job_folder(overrides, _root_=cfg) == now
    (tmp_path / former).mkdir()
    assert job_folder(overrides, _root_=cfg) == former
    (tmp_path / now).mkdir()
    assert job_folder(overrides, _root_=cfg) == now


def test_the_same_job_has_the_same_folder_alone_and_in_every_sweep() -> None:
    register()
    alone = check_jobs("train", ["sampling=hybrid", "++seed=1"], multirun=False)
    small = check_jobs("train", ["++seed=1", "sampling=hybrid,x_x"], multirun=True)
    large = check_jobs("train", ["++seed=0,1,2", "sampling=x_y,x_x,hybrid", "logger=none"], multirun=True)
    assert set(alone) <= set(small) <= set(large)
    assert len(large) == 9
    (folder,) = alone
    assert folder == Path.cwd() / "multirun" / "train" / f"hybrid_seed-1_{alone[folder][:8]}"
    assert set(check_jobs("train", ["sampling=hybrid", "++output_dir=mine"], multirun=False)) == {Path.cwd() / "mine"}
    assert {path.parent for path in check_jobs("train", ["++seed=0,1", "++output_dir=mine"], multirun=True)} == {
        Path.cwd() / "mine"
    }
