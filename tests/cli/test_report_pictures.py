"""`trainer report --svg` and `--png`: the curves alone, as pictures that need nothing else."""

from __future__ import annotations

import struct
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"


def test_an_svg_holds_every_curve(trained, tmp_path):
    done = trained.run("report", "run", "--svg", str(tmp_path / "curves.svg"))
    assert done.returncode == 0, done.stderr
    assert "curves.svg: 3 epochs" in done.stderr
    assert not (trained.folder / "run" / "report.html").exists()
    text = (tmp_path / "curves.svg").read_text()
    assert "var(" not in text
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"flowers: run", "loss", "accuracy", "val_loss", "val_accuracy"} <= set(words)
    lines = [element.find(f"{SVG}title").text for element in root.iter(f"{SVG}polyline") if len(element)]
    assert sorted(lines) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    width, height = (float(root.get(name)) for name in ("width", "height"))
    for chart in root.iter(f"{SVG}svg"):
        if chart is not root:
            x, y, wide, high = (float(chart.get(name)) for name in ("x", "y", "width", "height"))
            assert x + wide <= width
            assert y + high <= height


def test_a_page_beside_it_is_written_if_it_is_named(trained, tmp_path):
    names = [str(tmp_path / name) for name in ("c.svg", "page.html")]
    done = trained.run("report", "run", "--svg", names[0], "--output", names[1], "--no-data")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.svg").exists()
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_a_png_is_the_svg_painted(trained, tmp_path):
    pytest.importorskip("resvg_py", reason="needs the extra `plots`")
    names = [str(tmp_path / name) for name in ("c.svg", "c.png")]
    done = trained.run("report", "run", "--svg", names[0], "--png", names[1])
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "c.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    root = ElementTree.parse(names[0]).getroot()
    assert struct.unpack(">II", content[16:24]) == (2 * int(root.get("width")), 2 * int(root.get("height")))


def test_without_the_extra_a_png_is_refused_and_nothing_is_written(trained, tmp_path):
    (tmp_path / "resvg_py.py").write_text("raise ImportError")
    path = f"{tmp_path}:{trained.environment()['PYTHONPATH']}"
    names = [str(tmp_path / name) for name in ("c.svg", "c.png")]
    done = trained.run("report", "run", "--svg", names[0], "--png", names[1], environment={"PYTHONPATH": path})
    assert done.returncode == 6
    assert "pip install 'trainer-cli[plots]'" in done.stderr
    assert not (tmp_path / "c.svg").exists()
