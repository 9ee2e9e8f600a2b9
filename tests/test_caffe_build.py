"""The promises of `make setup`: what it builds, keeps, refuses, and does not do twice."""

from user_error import UserError

import dataclasses
import itertools
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import pytest

import files
from caffe_build import __main__ as setup
from caffe_build import build, cache, cuda, install, long_command, packages, recipe, source, systems, variant

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SETUP = ROOT / "caffe_build" / "setup.sh"
REQUIREMENTS = ROOT / "requirements.txt"
RECIPE = recipe.Recipe(
    variant="cpu",
    source_sha256="0",
    blas="OpenBLAS 1",
    cuda={},
    flags="-O2",
    options={"BLAS": "open"},
    choice=recipe.DEFAULT,
    patches={"a.patch": "0"},
    compiler="g++ 1",
    python="3.11.0",
    packages={"numpy": "1", "libopencv-dev": "1"},
    builder={"build.py": "0"},
)
INSTALLED = variant.choose(REQUIREMENTS, {}, install.describe())  # the one that the tests run with


OPTIONAL = recipe.optional_patches(gpu=True)
PATCH_CHOICES = (recipe.MINIMAL, recipe.DEFAULT, *OPTIONAL, " ".join(OPTIONAL))


def run(*command, env=None, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=60)


def child(code: str) -> subprocess.Popen:
    """A Python process of its own in the repository's root."""
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


# The key


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(RECIPE)])
def test_another_input_is_another_key(field):
    old = getattr(RECIPE, field)
    new = old | {"one more": "1"} if isinstance(old, dict) else old + "x"
    assert dataclasses.replace(RECIPE, **{field: new}).key() != RECIPE.key()
    assert dataclasses.replace(RECIPE).key() == RECIPE.key()


def test_the_key_follows_the_pinned_openblas_and_numpy_and_no_other_package(tmp_path):
    def key_with(package: str) -> str:
        text = REQUIREMENTS.read_text()
        changed = re.sub(rf"^{package}==\S+", f"{package}==9999", text, flags=re.MULTILINE)
        assert changed != text
        (tmp_path / "requirements.txt").write_text(changed)
        return recipe.cpu(tmp_path / "requirements.txt").key()

    today = recipe.cpu(REQUIREMENTS).key()
    assert key_with("rich") == today
    assert len({today, key_with("scipy-openblas32"), key_with("numpy")}) == 3


def test_each_choice_is_another_key():
    recipes = [
        recipe.cpu(REQUIREMENTS),
        recipe.gpu(REQUIREMENTS, cuda.ARCHITECTURES, cudnn=True),
        recipe.gpu(REQUIREMENTS, cuda.ARCHITECTURES, cudnn=False),
        recipe.gpu(REQUIREMENTS, ["90"], cudnn=True),
        *(recipe.gpu(REQUIREMENTS, ["90"], True, choice) for choice in PATCH_CHOICES if choice != recipe.DEFAULT),
    ]
    assert len({each.key() for each in recipes}) == len(recipes)


def test_the_recipe_knows_the_version_of_everything_that_caffe_is_linked_with():
    found = recipe.installed(recipe.PACKAGES)
    for pattern in recipe.PACKAGES:
        assert any(Path(name).match(pattern) for name in found), pattern


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ("needed/new", ("cpu", "gpu")),
        ("default/new", ("cpu", "gpu")),
        ("needed/gpu/new", ("gpu",)),
        ("default/gpu/new", ("gpu",)),
        ("optional/new", ()),
        ("optional/gpu/new", ()),
    ],
)
def test_a_patch_changes_the_builds_that_it_is_part_of(patch, changed, tmp_path, monkeypatch):
    def keys() -> dict[str, str]:
        return {"cpu": recipe.cpu(REQUIREMENTS).key(), "gpu": recipe.gpu(REQUIREMENTS, ["90"], True).key()}

    monkeypatch.setattr(recipe, "PATCHES", shutil.copytree(recipe.PATCHES, tmp_path / "patches"))
    before = keys()
    (tmp_path / "patches" / f"{patch}.patch").write_text("Why: a test.\n")
    after = keys()
    assert {name for name in before if before[name] != after[name]} == set(changed)


# The choice

CPU, GPU = {"variant": "cpu"}, {"variant": "gpu", "cudnn": "9.1", "architectures": "80 90"}
ALL = " ".join(cuda.ARCHITECTURES)


@pytest.mark.parametrize(
    ("asked", "held", "chosen"),
    [
        ({}, {}, None),
        ({}, CPU, None),
        ({"CUDA": "0"}, GPU, None),
        ({"CUDA": ""}, GPU, ("80 90", True)),
        ({}, GPU, ("80 90", True)),
        ({}, GPU | {"cudnn": "none"}, ("80 90", False)),
        ({"CUDA": "1"}, GPU | {"cudnn": "none"}, ("80 90", False)),
        ({"CUDNN": "1"}, GPU | {"cudnn": "none"}, ("80 90", True)),
        ({"CUDNN": "0", "CUDA_ARCH": "75"}, GPU, ("75", False)),
        ({"CUDA": "1"}, {}, (ALL, True)),
        ({"CUDA": "1", "CUDNN": "0"}, CPU, (ALL, False)),
        ({"CUDA": "1", "CUDA_ARCH": "100, 90 90,"}, CPU, ("90 100", True)),
    ],
)
def test_what_is_not_asked_for_stays_as_it_is(asked, held, chosen):
    facts = variant.choose(REQUIREMENTS, asked, held).facts()
    if chosen is None:
        assert facts["variant"] == "cpu"
        assert not {"cuda", "cudnn", "architectures"} & set(facts)
    else:
        assert (facts["variant"], facts["cuda"]) == ("gpu", "13.0")
        assert (facts["architectures"], facts["cudnn"] != "none") == chosen


@pytest.mark.parametrize(
    ("asked", "held", "chosen"),
    [
        ({}, CPU, None),
        ({}, CPU | {"patches": "minimal"}, "minimal"),
        ({"CAFFE_PATCHES": ""}, GPU | {"patches": "gpu-data"}, "gpu-data"),
        ({"CAFFE_PATCHES": "default"}, GPU | {"patches": "gpu-data"}, None),
        ({"CAFFE_PATCHES": "minimal"}, GPU | {"patches": "gpu-data"}, "minimal"),
        ({"CAFFE_PATCHES": "gpu-data, cudnn-shared-workspace"}, GPU, "cudnn-shared-workspace gpu-data"),
        ({"CUDA": "0"}, GPU | {"patches": "gpu-data"}, None),
        ({"CUDA": "0"}, GPU | {"patches": "minimal"}, "minimal"),
        ({}, GPU | {"patches": "of-an-earlier-version gpu-data"}, "gpu-data"),
    ],
)
def test_a_choice_of_patches_stays_and_is_said_where_it_is_not_the_default(asked, held, chosen):
    chosen_recipe = variant.choose(REQUIREMENTS, asked, held)
    assert chosen_recipe.facts().get("patches") == chosen
    assert (f"patches: {chosen}" in chosen_recipe.title()) == (chosen is not None)


@pytest.mark.parametrize("choice", PATCH_CHOICES)
def test_minimal_is_what_is_needed_and_optional_patches_come_on_top_of_the_default(choice):
    applied = recipe.patches(choice, gpu=True)
    kinds = [name.partition("/")[0] for name in applied]
    assert kinds == sorted(kinds, key=("needed", "default", "optional").index)
    assert ("default" in kinds) == (choice != recipe.MINIMAL)
    assert [Path(name).stem for name in applied if name.startswith("optional/")] == [
        name for name in choice.split() if name in OPTIONAL
    ]


@pytest.mark.parametrize("asked", ["gpu-data", "minimal cudnn-shared-workspace", "default minimal", "52"])
def test_unknown_patches_are_refused_with_the_names_of_those_that_there_are(asked):
    with pytest.raises(UserError) as refusal:
        variant.choose(REQUIREMENTS, {"CAFFE_PATCHES": asked}, CPU)
    for name in ("default", "minimal", *(f"{name} (with CUDA=1)" for name in OPTIONAL)):
        assert name in str(refusal.value)


@pytest.mark.parametrize(
    "asked",
    [
        "CAFFE_PATCHES=foo",
        "CAFFE_PATCHES=gpu-data minimal",
        "CUDA=yes",
        "CUDA=0,1",
        "CUDA=/usr/local/cuda",
        "CUDNN=maybe",
        "CUDA_ARCH=foo",
        "CUDA_ARCH=52",
        "CUDA_ARCH=90 9.0",
    ],
)
def test_another_value_is_refused_in_one_line(asked):
    done = run(SETUP, env=os.environ | {"CUDA": "1"} | dict([asked.split("=")]))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {asked}: ")


def test_newer_cards_than_the_newest_architecture_get_code_to_compile():
    chosen = recipe.gpu(REQUIREMENTS, ["75", "120"], cudnn=True)
    assert (chosen.options["CUDA_ARCH_BIN"], chosen.options["CUDA_ARCH_PTX"]) == ("75 120", "120")


def test_the_title_and_the_doctor_name_the_engine(monkeypatch):
    from experiments import doctor

    for chosen, title in [
        (recipe.cpu(REQUIREMENTS), r"Caffe 1\.0\.0 \(cpu, OpenBLAS [\d.]+\)"),
        (
            recipe.gpu(REQUIREMENTS, ["75", "90"], cudnn=True),
            r"Caffe 1\.0\.0 \(gpu, CUDA 13\.0, cuDNN 9\.[\d.]+, sm 75 90, OpenBLAS [\d.]+\)",
        ),
        (
            recipe.cpu(REQUIREMENTS, recipe.MINIMAL),
            r"Caffe 1\.0\.0 \(cpu, OpenBLAS [\d.]+, patches: minimal\)",
        ),
        (
            recipe.gpu(REQUIREMENTS, ["90"], cudnn=False),
            r"Caffe 1\.0\.0 \(gpu, CUDA 13\.0, no cuDNN, sm 90, OpenBLAS [\d.]+\)",
        ),
    ]:
        facts = chosen.facts()
        assert re.fullmatch(title, chosen.title())
        monkeypatch.setattr(doctor, "describe", lambda _, facts=facts: facts)
        (finding,) = doctor._caffe()
        for name in {"variant", "blas", "cuda", "cudnn", "architectures", "patches"} & set(facts):
            assert f"{name} {facts[name]}" in finding.text


# The machine


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ({"dirname": "/usr/bin/dirname", "uname": "/usr/bin/uname"}, "no apt-get"),
        ({"dirname": "/usr/bin/dirname", "uname": "/bin/echo aarch64 #"}, "aarch64"),
    ],
)
def test_a_machine_that_cannot_build_gets_one_line_that_says_why_and_points_to_docker(tools, said, tmp_path):
    for name, command in tools.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tmp_path / name).chmod(0o755)
    done = run("/bin/bash", SETUP, env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "Docker" in line


# The system


def setup_on(folder: Path, os_release: str) -> subprocess.CompletedProcess:
    """Call setup.sh where /etc/os-release has this text, and apt-get leaves a trace."""
    (folder / "os-release").write_text(os_release)
    for name, command in {
        "dirname": '/usr/bin/dirname "$@"',
        "uname": "echo x86_64",
        "cat": f"/bin/cat {folder}/os-release",
        "apt-get": f"/bin/touch {folder}/installed",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (folder / name).chmod(0o755)
    return run("/bin/bash", SETUP, env={"PATH": str(folder)})


@pytest.mark.parametrize(
    ("os_release", "name"),
    [
        ('PRETTY_NAME="Ubuntu 22.04.5 LTS"\nVERSION_CODENAME=jammy\nUBUNTU_CODENAME=jammy\n', "Ubuntu 22.04.5 LTS"),
        ('PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\n', "Debian GNU/Linux forky/sid"),
        ('PRETTY_NAME="No Codename"\nVERSION_CODENAME=""\n', "No Codename"),
    ],
)
def test_a_system_that_is_not_in_the_table_is_refused_before_anything_is_installed(os_release, name, tmp_path):
    done = setup_on(tmp_path, os_release)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    known = ", ".join(system.name for system in systems.known().values())
    assert line.startswith(f"error: setup builds on {known}, and this system is {name}; use Docker instead")
    assert not (tmp_path / "installed").exists()


@pytest.mark.parametrize("field", ["VERSION_CODENAME=", "VERSION_CODENAME=zara\nUBUNTU_CODENAME="])
def test_a_system_is_known_by_its_codename_or_its_bases_and_has_to_have_the_python_of_the_table(field, tmp_path):
    others = [system for system in systems.known().values() if system.python != packages.PYTHON]
    assert others
    for system in others:
        done = setup_on(tmp_path, f"{field}{system.codename}\n")
        assert done.returncode == 2
        assert (
            f"for the Python {system.python} of {system.name}, and /usr/bin/python3 is {packages.PYTHON}" in done.stderr
        )


def test_the_python_half_of_setup_alone_is_refused_in_one_line():
    done = run(sys.executable, "-m", "caffe_build", cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch("error: .*`make setup`\n", done.stderr)


def test_libcaffe_asks_for_the_compiler_of_this_cuda():
    version = recipe.gpu(REQUIREMENTS, ["90"], cudnn=True).cuda["cuda"]
    major = version.split(".")[0]
    assert (f"libnvrtc.so.{major}", f"libnvrtc-builtins.so.{version}") == cuda.COMPILERS_AT_RUN_TIME


@pytest.mark.skipif(install.describe().get("variant") != "gpu", reason="this Caffe is built for the CPU")
def test_a_kernel_is_compiled_in_whatever_process_loads_caffe():
    code = "import caffe, benchmarks.cuda as cuda; print(cuda.compile_a_kernel('90'))"
    own = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    assert run(sys.executable, "-c", code, cwd=ROOT, env=own).stdout == "0\n"


def test_the_python_packages_can_be_installed_before_there_is_a_compiler(monkeypatch):
    called = []
    monkeypatch.setattr(sys, "argv", ["caffe_build", setup.PACKAGES_ONLY])
    monkeypatch.setattr(setup.packages, "are_installed", lambda *_: False)
    monkeypatch.setattr(setup.packages, "install", lambda venv, files, log: called.append((venv, files)))
    monkeypatch.setattr(setup, "set_up", None)
    setup.main()
    assert called == [(ROOT / ".venv", [REQUIREMENTS])]


def test_the_table_says_what_this_machine_has():
    """For a machine that is in the table; the others' rows are checked on theirs."""
    here = systems.known().get(platform.freedesktop_os_release().get("VERSION_CODENAME"))
    if here is None:
        pytest.skip("this machine is not in the table")
    assert here.python == packages.PYTHON
    assert f"libboost-python{here.boost}-dev" in recipe.installed(("libboost-python*-dev",))
    assert not here.suites or here.keyring.is_file()


def test_the_project_is_for_the_pythons_of_the_table():
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    least, below = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", allowed).groups()
    minors = {int(system.python.split(".")[1]) for system in systems.known().values()}
    assert minors == set(range(int(least), int(below)))


# The source


@pytest.fixture
def upstream(tmp_path, monkeypatch) -> Path:
    """A stand-in for upstream's repository, with another commit on top of the one that is Caffe; the cache is empty."""
    folder = tmp_path / "upstream"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "net.cpp").write_text("one\ntwo\n")
    (folder / "src.txt").write_text("sorts before src/ by its bytes")
    (folder / "build.sh").write_text("#!/bin/sh\n")
    (folder / "build.sh").chmod(0o755)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Caffe")
    monkeypatch.setattr(source, "COMMIT", git(folder, "rev-parse", "HEAD").strip())
    monkeypatch.setattr(source, "TREE", shell_digest(folder))
    monkeypatch.setattr(source, "REPOSITORY", f"file://{folder}")
    (folder / "README.md").write_text("later")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "documentation")
    (tmp_path / "mirror").mkdir()
    monkeypatch.setattr(source, "mirror", lambda: f"file://{tmp_path}/mirror")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def git(folder: Path, *command: str) -> str:
    done = run("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell_digest(folder: Path) -> str:
    """What the command in the docstring of source.digest prints."""
    command = re.search(r"`(find .*)`", source.digest.__doc__)[1].replace("-type f", "-type f ! -path './.git/*'")
    return run("sh", "-c", command, cwd=folder).stdout.split()[0]


def tarball_of(upstream: Path, name: str, *options: str) -> Path:
    """A tarball of the commit that is Caffe."""
    file = upstream.parent / name
    git(upstream, "archive", f"--output={file}", *options, source.COMMIT)
    return file


DEBIAN_12 = systems.known()["bookworm"]


def test_the_same_files_are_taken_wherever_they_come_from(upstream, tmp_path):
    (upstream / "src" / "net.cpp").write_text("a change that is not committed")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{upstream}", str(shallow))
    places = {
        "a tarball": partial(source.from_tarball, tarball_of(upstream, "caffe.tar")),
        "in a folder": partial(source.from_tarball, tarball_of(upstream, "caffe.tar.gz", "--prefix=caffe-1/")),
        "the repository": partial(source.from_repository, source.REPOSITORY),
        "a clone": partial(source.from_repository, upstream),
        "a shallow clone": partial(source.from_repository, shallow),
    }
    git(upstream, "config", "core.autocrlf", "true")
    for number, (name, place) in enumerate(places.items()):
        (tmp_path / f"{number}").mkdir()
        found = source.first({name: place}, tmp_path / f"{number}", tmp_path / "log")
        assert (found / "src" / "net.cpp").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("change", ["content", "name", "one more", "one less"])
def test_other_files_are_another_digest(change, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    before = source.digest(tmp_path)
    match change:
        case "content":
            (tmp_path / "a").write_text("other")
        case "name":
            (tmp_path / "a").rename(tmp_path / "c")
        case "one more":
            (tmp_path / os.fsdecode(b"\xff")).write_text("same")
        case "one less":
            (tmp_path / "a").unlink()
    assert source.digest(tmp_path) != before


def test_a_mirror_without_the_suite_gives_way_to_upstream_without_a_word(upstream, tmp_path, capfd):
    assert (source.get(DEBIAN_12, tmp_path / "log") / "build.sh").is_file()
    assert "does not have a Release file" in (tmp_path / "log").read_text()
    assert capfd.readouterr().err == ""


def test_where_no_place_has_it_all_are_named_with_what_was_wrong(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "REPOSITORY", f"file://{tmp_path}/nowhere")
    with pytest.raises(UserError) as refusal:
        source.get(DEBIAN_12, tmp_path / "log")
    assert re.search(r"Debian's bullseye: E: .*Release.*; upstream's repository: fatal: .*nowhere", str(refusal.value))
    assert str(refusal.value).endswith("make setup CAFFE_SOURCE=PATH")
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "cache").rglob("source-*/"))


def test_a_repository_with_other_files_is_not_caffe(upstream, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "COMMIT", git(upstream, "rev-parse", "HEAD").strip())
    with pytest.raises(UserError, match="upstream's repository: not Caffe's files"):
        source.get(DEBIAN_12, tmp_path / "log")


def test_the_source_is_got_once(upstream, tmp_path):
    first = source.get(DEBIAN_12, tmp_path / "log")
    upstream.rename(tmp_path / "gone")
    assert source.get(DEBIAN_12, tmp_path / "log") == first


@pytest.mark.parametrize("kind", ["tarball", "clone"])
def test_what_the_user_names_is_used_before_any_other_place(kind, upstream, tmp_path, monkeypatch):
    source.keep(str(tarball_of(upstream, "caffe.tar.xz") if kind == "tarball" else upstream), tmp_path / "log")
    monkeypatch.setattr(source, "first", lambda *_: pytest.fail("looked elsewhere"))
    assert source.digest(source.get(DEBIAN_12, tmp_path / "log")) == source.TREE


def test_what_is_named_and_is_not_caffe_is_refused_in_one_line_although_all_is_set_up(tmp_path):
    text, other, clone = tmp_path / "text.tar.gz", tmp_path / "other.tar", tmp_path / "clone"
    text.write_bytes(b"not Caffe")
    run("tar", "--create", "--file", other, "text.tar.gz", cwd=tmp_path)
    clone.mkdir()
    git(clone, "init", "-q")
    for named, said in [
        (text, "tar cannot unpack it"),
        (other, f"not Caffe's files at 99bd997, whose digest is {source.TREE}, but "),
        (clone, "fatal: "),
        (tmp_path, "fatal: "),
        ("/nowhere/caffe.tar.gz", "there is no such file or folder"),
        ("~nobody-of-this-name/caffe.tar.gz", "there is no such file or folder"),
    ]:
        done = run(SETUP, env=os.environ | {"CAFFE_SOURCE": str(named)}, cwd=tmp_path)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert f"CAFFE_SOURCE={named}: {said}" in line


def test_no_host_but_upstreams_and_no_folder_of_a_machine_is_named():
    files = [
        *(ROOT / "caffe_build").rglob("*"),
        *ROOT.glob("requirements*"),
        *(ROOT / "benchmarks").glob("requirements*"),
    ]
    named = re.compile(r"\w://|\b[\w-]+\.(?:org|com|net|io)\b|/(?:root|home|work|opt|tmp)/|find-links")
    for file in files:
        if file.suffix in {".py", ".sh", ".txt", ".in", ".patch", ".h"}:
            assert not named.search(file.read_text().replace(f'REPOSITORY = "{source.REPOSITORY}"', "")), file


@pytest.mark.parametrize(
    ("requirements", "least"),
    [(REQUIREMENTS, 20), (cuda.RUN, 5), (cuda.COMPILE, 5), (ROOT / "benchmarks" / "requirements.txt", 5)],
)
def test_every_package_is_pinned_with_a_hash(requirements, least):
    blocks = re.split(r"^(?=[a-z0-9])", requirements.read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) >= least
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", block), block


def test_every_patch_says_why_in_its_first_line():
    patches = sorted(recipe.PATCHES.rglob("*.patch"))
    assert patches
    for patch in patches:
        assert patch.read_text().startswith("Why: "), patch


def test_every_patch_is_part_of_a_build():
    applied = recipe.patches(" ".join(OPTIONAL), gpu=True)
    assert set(applied) == {str(patch.relative_to(recipe.PATCHES)) for patch in recipe.PATCHES.rglob("*.patch")}


def touched(patch: str) -> list[str]:
    return re.findall(r"^--- a/(\S+)", (recipe.PATCHES / patch).read_text(), re.MULTILINE)


@pytest.fixture
def patched(tmp_path):
    """patched(patches): a folder with the files of Caffe that any patch touches, as these patches leave them."""
    original = cache.folder() / source.ENTRY
    if not original.is_dir():
        pytest.skip("Caffe's source is not in the cache")
    folders = (tmp_path / str(number) for number in itertools.count())

    def apply(patches) -> Path:
        folder = next(folders)
        for file in {file for patch in recipe.patches(" ".join(OPTIONAL), gpu=True) for file in touched(patch)}:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original / file, folder / file)
        for patch in patches:
            done = run("patch", "--strip=1", "--fuzz=0", "--input", recipe.PATCHES / patch, cwd=folder)
            assert done.returncode == 0, done.stdout
        return folder

    return apply


@pytest.mark.parametrize("gpu", [False, True])
def test_the_patches_of_every_choice_apply(gpu, patched):
    for choice in PATCH_CHOICES:
        patched(recipe.patches(choice, gpu))


def test_patches_for_gpus_change_nothing_that_is_compiled_for_the_cpu(patched):
    """Of the default ones: optional ones are in no build for the CPU at all."""

    def seen_by_the_compiler(folder: Path, file: str) -> str:
        text = "".join(line for line in (folder / file).open() if not line.startswith("#include"))
        command = ["g++", "-E", "-P", "-DCPU_ONLY", "-x", "c++", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    for_the_cpu = recipe.patches(recipe.DEFAULT, gpu=False)
    for_gpus = recipe.patches(recipe.DEFAULT, gpu=True)
    without, with_all = patched(for_the_cpu), patched(for_gpus)
    for file in {file for patch in for_gpus if patch not in for_the_cpu for file in touched(patch)}:
        if not file.endswith(".cu"):
            assert seen_by_the_compiler(without, file) == seen_by_the_compiler(with_all, file), file


# The cache


def test_a_build_that_fails_leaves_no_entry(tmp_path):
    def fail(folder: Path) -> Path:
        (folder / "half").write_text("half")
        raise UserError("no compiler")

    with pytest.raises(UserError, match="no compiler"):
        cache.entry(tmp_path, "key", fail)
    assert [file.name for file in tmp_path.iterdir()] == ["key.lock"]


def test_a_build_that_is_killed_leaves_no_entry_and_the_next_one_builds(tmp_path):
    killed = child(f"""
import os, signal
from pathlib import Path
from caffe_build import cache
def make(folder):
    (folder / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
cache.entry(Path({str(tmp_path)!r}), "key", make)
""")
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "key").exists()

    entry = cache.entry(tmp_path, "key", whole)
    assert (entry / "lib").read_text() == "whole"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["key", "key.lock"]


def test_a_finished_entry_is_not_built_again(tmp_path):
    cache.entry(tmp_path, "key", whole)
    assert cache.entry(tmp_path, "key", lambda _: pytest.fail("built twice")) == tmp_path / "key"


def test_the_second_of_two_builds_says_that_it_waits_and_uses_the_result_of_the_first(tmp_path):
    code = f"""
import os, time
from pathlib import Path
from caffe_build import cache
def make(folder):
    print("builds", flush=True)
    while not Path({str(tmp_path)!r}, "go").exists():
        time.sleep(0.01)
    (folder / "tree").mkdir()
    return folder / "tree"
cache.entry(Path({str(tmp_path)!r}, "cache"), "key", make)
"""
    first = child(code)
    assert first.stdout.readline() == "builds\n"
    second = child(code)
    assert second.stdout.readline() == "another process is building the same Caffe: waiting for it\n"
    (tmp_path / "go").touch()
    assert second.communicate(timeout=30)[0] == ""
    assert (first.wait(30), second.returncode) == (0, 0)
    assert (tmp_path / "cache" / "key").is_dir()


def test_a_user_without_a_home_folder_is_asked_for_a_place(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UserError, match="set HOME or XDG_CACHE_HOME"):
        cache.folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache.folder() == Path("/cache/finetuned-aesthetics/caffe")


def whole(folder: Path) -> Path:
    """A build that works."""
    (folder / "tree").mkdir()
    (folder / "tree" / "lib").write_text("whole")
    return folder / "tree"


# Long commands


def test_a_command_that_fails_shows_the_end_of_its_log(tmp_path, capfd):
    log = tmp_path / "log"
    with pytest.raises(UserError, match=f"building Caffe failed .status 3.*{log}"):
        long_command.run(["sh", "-c", "seq 100; echo no memory; exit 3"], what="building Caffe", log=log)
    assert "100\nno memory" in capfd.readouterr().err
    assert "\n1\n2\n" in log.read_text()


def test_a_long_command_shows_cmakes_percent_and_the_time(tmp_path, capfd):
    command = ["sh", "-c", "echo '[  7%] Building'; sleep 1.2; echo '[ 42%] Building'"]
    long_command.run(command, what="building Caffe", log=tmp_path / "log")
    assert capfd.readouterr().out.splitlines()[-1] == "building Caffe  42 % 0:01"


def test_a_command_does_not_outlive_a_setup_that_is_killed(tmp_path):
    setup = child(f"""
from pathlib import Path
from caffe_build import long_command
command = ["sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 60"]
long_command.run(command, what="sleeping", log=Path({str(tmp_path)!r}, "log"))
""")
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text().strip())
    setup.kill()
    setup.communicate(timeout=30)
    wait_for(lambda: not Path("/proc", pid.read_text().strip()).exists())


def test_what_a_killed_setup_left_running_keeps_the_lock(tmp_path):
    setup = child(f"""
from pathlib import Path
from caffe_build import cache, long_command
here = Path({str(tmp_path)!r})
with cache.lock(here / "lock", ""):
    left = ["sh", "-c", "sleep 60 & echo $! > pid; wait"]
    long_command.run(left, what="sleeping", log=here / "log", cwd=here)
""")
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text().strip())
    setup.kill()
    setup.communicate(timeout=30)
    assert is_locked(tmp_path / "lock")
    os.kill(int(pid.read_text()), signal.SIGKILL)
    wait_for(lambda: not is_locked(tmp_path / "lock"))


def is_locked(path: Path) -> bool:
    try:
        with files.locked(path):
            return False
    except files.Held:
        return True


def wait_for(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# The .venv


def test_a_second_setup_does_nothing_in_less_than_two_seconds():
    assert packages.are_installed(VENV, [REQUIREMENTS]), "run `make setup` first"
    assert install.is_installed(VENV, INSTALLED), "run `make setup` first"
    before = tree_of(VENV)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(SETUP)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to do" in done.stdout
    assert tree_of(VENV) == before
    # the processor's time, which other work on the machine does not stretch
    assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < 2


def tree_of(folder: Path) -> dict[Path, int]:
    return {file: file.lstat().st_mtime_ns for file in folder.rglob("*") if "__pycache__" not in file.parts}


def test_a_venv_whose_stamp_is_missing_damaged_or_of_other_requirements_is_not_taken_for_finished(tmp_path):
    venv, requirements = finished_venv(tmp_path)
    assert packages.are_installed(venv, requirements)
    requirements[0].write_text("rich==2\n")
    assert not packages.are_installed(venv, requirements)
    venv, requirements = finished_venv(tmp_path)
    for damage in ("", "[]", "null", "{", '{"requirements": 1}', '{"requirements": {}}'):
        (venv / packages.STAMP).write_text(damage)
        assert not packages.are_installed(venv, requirements)
    (venv / packages.STAMP).unlink()
    assert not packages.are_installed(venv, requirements)


def test_a_venv_with_more_than_is_wanted_stays_and_one_with_less_is_added_to(tmp_path, monkeypatch):
    venv, both = finished_venv(tmp_path)
    commands = []
    monkeypatch.setattr(packages, "run", lambda command, **_: commands.append(command))
    packages.install(venv, both[:1], tmp_path / "log")
    packages.install(venv, both, tmp_path / "log")
    assert commands == []
    (venv / packages.STAMP).write_text(json.dumps(packages.stamp(venv, packages.hashes(both[:1]))))
    packages.install(venv, both, tmp_path / "log")
    assert [command[-1] for command in commands] == [both[1]]
    assert packages.are_installed(venv, both)


def test_a_venv_that_is_a_link_is_left_to_those_who_use_it(tmp_path):
    venv, requirements = finished_venv(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(venv)
    with pytest.raises(UserError, match=r"is a link to .*, which others may use: remove the link"):
        packages.install(link, requirements, tmp_path / "log")
    assert packages.are_installed(venv, requirements)


def finished_venv(folder: Path) -> tuple[Path, list[Path]]:
    """Something like a .venv that was finished for two requirements files."""
    venv, requirements = folder / "venv", [folder / "requirements.txt", folder / "requirements-gpu.txt"]
    for file in requirements:
        file.write_text("rich==1\n")
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    (venv / "bin" / "python").touch()
    (venv / packages.STAMP).write_text(json.dumps(packages.stamp(venv, packages.hashes(requirements))))
    return venv, requirements


def test_caffe_is_installed_only_when_all_of_it_is_and_is_the_recipes(tmp_path):
    tree, venv = tmp_path / "tree", tmp_path / "venv"
    for file in build.BINARIES:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text(file.name)
    install.install(tree, venv, RECIPE)
    assert install.is_installed(venv, RECIPE)
    assert install.describe(venv)["key"] == RECIPE.key()
    assert not install.is_installed(venv, dataclasses.replace(RECIPE, flags="-O3"))
    (venv / build.LIBRARY).unlink()
    assert not install.is_installed(venv, RECIPE)
    for damage in ("", "[]", "null", "{"):
        (venv / install.STAMP).write_text(damage)
        assert install.describe(venv) == {}


def test_an_install_does_not_write_into_files_that_programs_have_open(tmp_path):
    tree, venv = tmp_path / "tree", tmp_path / "venv"
    (tree / "lib").mkdir(parents=True)
    (tree / build.LIBRARY).write_text("old")
    install.install(tree, venv, RECIPE)
    with (venv / build.LIBRARY).open() as opened:
        (tree / build.LIBRARY).write_text("new")
        install.install(tree, venv, RECIPE)
        assert opened.read() == "old"
    assert (venv / build.LIBRARY).read_text() == "new"


def test_the_venv_says_which_caffe_it_holds():
    facts = install.describe()
    assert set(facts) >= {"caffe", "source_sha256", "variant", "blas", "flags", "compiler", "key"}
    assert facts["source_sha256"] == source.TREE


# The Caffe in .venv


def test_libraries_are_looked_for_inside_the_venv_wherever_it_is():
    gpu = recipe.gpu(REQUIREMENTS, ["90"], cudnn=True)
    own = ["lib", str(recipe.OPENBLAS / "lib")]
    for chosen, folders in (RECIPE, own), (gpu, [*own, *map(str, cuda.LIBRARIES)]):
        for file in build.BINARIES:
            parts = build.rpath(chosen, file).split(":")
            assert all(part.startswith("$ORIGIN/") for part in parts)
            found = [os.path.normpath(part.replace("$ORIGIN", str(file.parent))) for part in parts]
            assert found == folders


@pytest.mark.parametrize("file", build.BINARIES, ids=str)
def test_every_library_is_found(file):
    done = run("ldd", VENV / file, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0
    assert "not found" not in done.stdout
    for line in re.findall(r"lib(?:scipy_openblas|caffe|cudart|cublas|curand|cudnn).*", done.stdout):
        assert f"{VENV}/" in line


@pytest.mark.parametrize("program", build.PROGRAMS)
def test_the_programs_run_with_an_empty_environment_from_anywhere(program, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(VENV / "bin" / program)
    for path in VENV / "bin" / program, link:
        done = run(path, "--version", env={}, cwd=tmp_path)
        assert done.returncode == program.startswith("upgrade"), done.stderr  # those know only how they are used
        assert path.name in done.stdout or program in done.stderr


def test_caffe_is_imported_with_an_empty_environment_from_anywhere(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(VENV)
    for python in VENV / "bin" / "python", link / "bin" / "python":
        done = run(python, "-c", "import caffe; print(caffe.__version__)", env={}, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "1.0.0\n"), done.stderr


def test_caffes_own_tests_pass():
    done = run(VENV / "bin" / "python", "-m", "caffe_build.selftest", cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "52 passed" in done.stdout


NET = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 16 dim: 3 dim: 32 dim: 32 } shape { dim: 16 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 32 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "norm" type: "LRN" bottom: "conv" top: "norm" lrn_param { local_size: 5 } }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param {
  num_output: 256 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" }
layer { name: "out" type: "InnerProduct" bottom: "fc" top: "out" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "out" bottom: "label" top: "loss" }
"""
TRAINING = """
import hashlib, os, sys, caffe
solver = caffe.SGDSolver(sys.argv[1])
solver.step(10)
weights = b"".join(blob.data.tobytes() for blobs in solver.net.params.values() for blob in blobs)
print(hashlib.sha256(weights).hexdigest(), len(os.listdir("/proc/self/task")))
"""


def train(folder: Path, threads: int) -> tuple[str, int]:
    """Ten iterations of a small net: the hash of its weights, and how many threads ran."""
    (folder / "net.prototxt").write_text(NET)
    solver = folder / "solver.prototxt"
    solver.write_text(
        f'net: "{folder}/net.prototxt" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" '
        "max_iter: 10 snapshot_after_train: false random_seed: 1"
    )
    environment = {"OPENBLAS_NUM_THREADS": str(threads)}
    done = run(VENV / "bin" / "python", "-c", TRAINING, solver, env=environment)
    assert done.returncode == 0, done.stderr
    weights, count = done.stdout.split()
    return weights, int(count)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_training_gives_the_same_weights_to_the_bit(threads, tmp_path):
    assert train(tmp_path, threads) == train(tmp_path, threads)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor: always one thread")
def test_the_number_of_threads_is_the_environments(tmp_path):
    assert train(tmp_path, 2)[1] > train(tmp_path, 1)[1]
