#!/usr/bin/env bash
# Construit les images nommées et les pousse dans le registre du projet : bash .gitlab/build.sh IMAGE…
# Celle de CUDA ne l'est que si CUDA_BASE_IMAGE dit sur quoi la bâtir.
set -euo pipefail
engine=${ENGINE:-docker}
for name in BASE_IMAGE CI_REGISTRY CI_REGISTRY_IMAGE CI_REGISTRY_USER CI_REGISTRY_PASSWORD; do
  if [ -z "${!name:-}" ]; then
    echo "Erreur : $name manque : voyez docs/deploiement/cicd.md." >&2
    exit 1
  fi
done
words=(--base "$BASE_IMAGE" --engine "$engine" --name "$CI_REGISTRY_IMAGE" --tag "$VERSION" --push)
[ -z "${CUDA_BASE_IMAGE:-}" ] || words+=(--cuda-base "$CUDA_BASE_IMAGE")
for image in "$@"; do
  [ "$image" = llm-cuda ] && [ -z "${CUDA_BASE_IMAGE:-}" ] || words+=("$image")
done
# Une session à nous : celle du compte du runner sert aussi à la tâche d'à côté, qui construit encore.
DOCKER_CONFIG=$(mktemp -d)
export DOCKER_CONFIG REGISTRY_AUTH_FILE=$DOCKER_CONFIG/auth.json
trap 'rm -rf "$DOCKER_CONFIG"' EXIT
"$engine" login --username "$CI_REGISTRY_USER" --password-stdin "$CI_REGISTRY" <<<"$CI_REGISTRY_PASSWORD" || {
  echo "Erreur : $CI_REGISTRY n'a pas ouvert de session : vérifiez CI_REGISTRY_USER et CI_REGISTRY_PASSWORD." >&2
  exit 1
}
bash utils/build_images.sh "${words[@]}"
