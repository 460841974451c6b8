#!/bin/sh
# Installs the peers that benchmarks compare with, each into an environment of its own.
#   sh benchmarks/peers/install.sh FOLDER
# What does not install on this machine is left out, and the benchmark says so.
set -eu
folder=${1:?usage: install.sh FOLDER}
mkdir -p "$folder"
printf 'torch==2.13.0\n' > "$folder/constraints.txt"

install() {
    name=$1
    shift
    python3.11 -m venv "$folder/$name"
    if "$folder/$name/bin/pip" install --quiet "$@" -c "$folder/constraints.txt"; then
        echo "$name: installed"
    else
        rm -rf "${folder:?}/$name"
        echo "$name: does not install here"
    fi
}

install curator bespokelabs-curator
install data_designer data-designer
install distilabel 'distilabel[openai]' requests
install datatrove datatrove openai aiofiles orjson xxhash aiosqlite httpx
install daft 'daft[openai]'
install ray_data 'ray[data]' pydantic aiohttp

# Deduplication.
install dedup_datasketch datasketch==2.0.0 pyarrow xxhash
install dedup_rensa rensa==0.5.0 pyarrow
install dedup_daft daft pyarrow numpy
install dedup_datatrove 'datatrove[processing]' pyarrow spacy orjson
install dedup_text_dedup text-dedup==0.4.0 pyarrow
install dedup_semhash semhash==0.5.0 pyarrow wordllama safetensors
install dedup_faiss faiss-cpu pyarrow
install dedup_imagehash imagehash==4.3.2 pillow
