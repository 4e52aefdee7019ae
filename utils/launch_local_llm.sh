#!/usr/bin/env bash
# Télécharge un modèle s'il n'est pas là, puis le sert : la commande du guide de déploiement.
set -euo pipefail

usage() {
    cat <<'FIN'
Usage : launch_local_llm.sh -s DOSSIER -r DÉPÔT -p PORT -d MOTEUR [-m FICHIER]

  -s DOSSIER   où sont, ou seront, les modèles
  -r DÉPÔT     dépôt Hugging Face, « organisation/nom »
  -p PORT      port d'écoute du service, sur cette machine
  -d MOTEUR    vllm, llama.cpp ou gpt4all (qui est llama.cpp)
  -m FICHIER   pour llama.cpp et gpt4all, un .gguf : fichier du dépôt, ou chemin
               (avec « / ») d'un fichier de cette machine, et rien n'est téléchargé
  -h           cette aide
FIN
}

refuse() {
    printf 'Erreur : %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

storage='' repository='' port='' driver='' file=''
while getopts ':s:r:p:d:m:h' option; do
    case "$option" in
        s) storage=$OPTARG ;;
        r) repository=$OPTARG ;;
        p) port=$OPTARG ;;
        d) driver=$OPTARG ;;
        m) file=$OPTARG ;;
        h)
            usage
            exit 0
            ;;
        :) refuse "l'option -$OPTARG veut une valeur." ;;
        *) refuse "l'option -$OPTARG n'existe pas." ;;
    esac
done
shift $((OPTIND - 1))

[[ $# -eq 0 ]] || refuse "« $1 » est de trop."
[[ -n $storage ]] || refuse 'il manque -s, le dossier des modèles.'
[[ $repository =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ ]] ||
    refuse 'il faut -r, un dépôt de la forme « organisation/nom ».'
[[ $port =~ ^[0-9]{1,5}$ ]] && ((10#$port >= 1 && 10#$port <= 65535)) ||
    refuse 'il faut -p, un port de 1 à 65535.'
case "$driver" in
    vllm) [[ -z $file ]] || refuse "-m n'a de sens que pour llama.cpp et gpt4all." ;;
    llama.cpp | gpt4all) ;;
    *) refuse 'il faut -d : vllm, llama.cpp ou gpt4all.' ;;
esac

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
albert=$root/.venv/bin/albert
[[ -x $albert ]] || albert=$(command -v albert) || {
    echo 'Erreur : Albert n’est pas installé : lancez « make install ».' >&2
    exit 1
}

# avant le téléchargement, qui peut durer une heure
"$albert" serve llm --check --hf-repo-id "$repository" --driver "$driver" --port "$port"

STORAGE_PATH=$({ mkdir -p -- "$storage" && cd -- "$storage"; } 2>/dev/null && pwd) || {
    echo "Erreur : « $storage » ne peut pas être le dossier des modèles : dites par -s un dossier" \
        'où ce compte a le droit d’écrire.' >&2
    exit 1
}
export STORAGE_PATH

# un fichier de la machine, sous le nom de son dépôt
if [[ $file == */* && -f $file ]]; then
    exec "$albert" serve llm "${repository##*/}" --file "$(realpath -- "$file")" \
        --driver "$driver" --port "$port"
fi

chosen=()
[[ -z $file ]] || chosen=(--file "$file")

# ce qui est là, et intact, n'est pas redemandé
"$albert" models download --hf-repo-id "$repository" "${chosen[@]}"
exec "$albert" serve llm --hf-repo-id "$repository" --driver "$driver" --port "$port" \
    "${chosen[@]}"
