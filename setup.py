"Installs t2i_diffusion as settings.ini says, which nbdev reads too."
from configparser import ConfigParser
from pathlib import Path
from setuptools import setup

config = ConfigParser(delimiters=["="])
config.read("settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]

EXTRAS = ("docs", "fid", "onnx", "perceptual")

def requirements(name):
    return cfg[name].split()

setup(
    name=cfg["lib_name"], version=cfg["version"], description=cfg["description"], keywords=cfg["keywords"], author=cfg["author"],
    long_description=Path("README.md").read_text(encoding="utf-8"), long_description_content_type="text/markdown",
    license="Apache-2.0", license_files=["LICENSE"],
    packages=[cfg["lib_name"]], package_data={cfg["lib_name"]: ["*.tsv", "pretrained/*/*", "classifiers/*/*"]},
    python_requires=f">={cfg['min_python']}", install_requires=requirements("requirements"),
    extras_require={
        "dev": [line for name in ("dev", *EXTRAS) for line in requirements(f"{name}_requirements")],
        **{name: requirements(f"{name}_requirements") for name in EXTRAS},
    },
    entry_points={"console_scripts": cfg["console_scripts"].split()},
)
