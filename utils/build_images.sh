#!/usr/bin/env bash
# Construit les images d'Albert, les nomme, et les publie si on le demande.
set -euo pipefail

usage() {
    cat <<'FIN'
Usage : build_images.sh --base IMAGE [options] api|embeddings|llm|llm-cuda…

  --base IMAGE       Debian 12 figée par son empreinte : « debian:12-slim@sha256:… »
                     (ou une image de cette machine : « localhost/… »)
  --cuda-base IMAGE  pour llm-cuda : Ubuntu 24.04, nue ou avec CUDA, figée de même
  --engine MOTEUR    docker ou buildah (sinon docker s'il est là)
  --name NOM         début du nom des images, registre compris (sinon « albert »)
  --tag ÉTIQUETTE    leur étiquette (sinon la version d'Albert)
  --push             publie chaque image dans le registre de NOM
  --pip-conf FICHIER configuration de pip : un index, un mandataire
  --apt-conf FICHIER configuration d'apt
  --ca FICHIER       autorités de certification ; pip.conf dit alors « cert = /run/secrets/ca »
  -h, --help         cette aide

Les trois fichiers ne servent qu'à construire : rien n'en reste dans une image.
FIN
}

refuse() {
    printf 'Erreur : %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
base='' cuda_base='' engine='' name=albert tag='' push=no
secrets=() images=()

keep_secret() {
    [[ -r $2 && -f $2 ]] || refuse "le fichier « $2 » ne peut pas être lu."
    [[ $2 != *,* ]] || refuse "le chemin « $2 » ne peut pas avoir de virgule."
    secrets+=(--secret "id=$1,src=$(realpath -- "$2")")
}

while [[ $# -gt 0 ]]; do
    case "$1" in
        --base | --cuda-base | --engine | --name | --tag | --pip-conf | --apt-conf | --ca)
            [[ -n ${2:-} ]] || refuse "l'option $1 veut une valeur."
            case "$1" in
                --base) base=$2 ;;
                --cuda-base) cuda_base=$2 ;;
                --engine) engine=$2 ;;
                --name) name=$2 ;;
                --tag) tag=$2 ;;
                --pip-conf) keep_secret pip "$2" ;;
                --apt-conf) keep_secret apt "$2" ;;
                --ca) keep_secret ca "$2" ;;
            esac
            shift
            ;;
        --push) push=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        api | embeddings | llm | llm-cuda) images+=("$1") ;;
        -*) refuse "l'option $1 n'existe pas." ;;
        *) refuse "« $1 » n'est pas une image d'Albert." ;;
    esac
    shift
done

check_base() {
    [[ -n $2 ]] || refuse "il manque $1."
    [[ $2 == localhost/* || $2 =~ @sha256:[0-9a-f]{64}$ ]] || refuse \
        "« $2 » n'est pas figée : ajoutez son empreinte (« docker buildx imagetools inspect $2 » la dit), « $2@sha256:… »."
}

[[ ${#images[@]} -gt 0 ]] || refuse "dites quelles images construire."
for image in "${images[@]}"; do
    if [[ $image == llm-cuda ]]; then
        check_base --cuda-base "$cuda_base"
    else
        check_base --base "$base"
    fi
done
[[ -n $engine ]] || { command -v docker >/dev/null && engine=docker; } || engine=buildah
[[ $engine == docker || $engine == buildah ]] || refuse "--engine veut docker ou buildah."
[[ $name =~ ^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$ ]] || refuse "« $name » n'est pas un nom d'image."
[[ $push == no || ${name%%/*} == *[.:]* ]] ||
    refuse "--push veut un --name qui commence par un registre : « registre.example/groupe/albert »."
version=$(sed -nE 's/^version = "(.*)"$/\1/p' "$root/pyproject.toml")
tag=${tag:-$version}
[[ $tag =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || refuse "« $tag » n'est pas une étiquette."
command -v "$engine" >/dev/null || {
    echo "Erreur : $engine est introuvable : installez-le, ou dites --engine." >&2
    exit 1
}

command=(docker build)
# le format d'OCI n'a pas de HEALTHCHECK
[[ $engine == docker ]] || command=(buildah build --format docker --layers)
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || true)

for image in "${images[@]}"; do
    chosen=$base packages=''
    [[ $image != llm-cuda ]] || chosen=$cuda_base packages='gcc libc6-dev python3-dev'
    echo "Construction de $name/$image:$tag…" >&2
    "${command[@]}" --file "$root/contrib/docker/Dockerfile" --target "$image" \
        --build-arg "BASE=$chosen" --build-arg "PACKAGES=$packages" "${secrets[@]}" \
        --label "org.opencontainers.image.version=$version" \
        --label "org.opencontainers.image.revision=$revision" \
        --label "org.opencontainers.image.base.name=$chosen" \
        --tag "$name/$image:$tag" "$root" || {
        echo "Erreur : $name/$image:$tag n'a pas pu être construite : voyez ci-dessus." >&2
        exit 1
    }
    [[ $push == no ]] || "$engine" push "$name/$image:$tag" || {
        echo "Erreur : $name/$image:$tag n'a pas pu être publiée : vérifiez « $engine login »." >&2
        exit 1
    }
done
