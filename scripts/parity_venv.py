"""parity_transformers.py in a virtual environment of its own, made where it is missing (PyPI is needed); slow.

    parity_venv.py --binary build/model_parity --venv FOLDER --torch SITE

SITE is the folder with LibTorch's wheel (.venv/lib/python3.x/site-packages), which is used as it is. Exit 77 if transformers cannot be
installed, else parity_transformers.py's.
"""

import argparse
import pathlib
import subprocess
import sys

import virtual_env

PACKAGES = ["transformers==5.23.0", "safetensors==0.8.0", "gguf==0.19.0", "sentencepiece==0.2.3"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    parser.add_argument("--torch", type=pathlib.Path, required=True)
    options = parser.parse_args()
    python = virtual_env.beside_torch(options.venv, PACKAGES, options.torch)
    if python is None:
        print("ASSAY_SKIPPED_WHOLE_PROGRAM transformers cannot be installed")
        sys.exit(77)
    script = pathlib.Path(__file__).parent / "parity_transformers.py"
    sys.exit(subprocess.run([python, script, "--binary", options.binary], check=False).returncode)


if __name__ == "__main__":
    main()
