#!/usr/bin/env bash
# Prépare une machine neuve pour Albert : la commande du guide de déploiement.
# Ce fichier se copie seul : il ne lit rien d'autre du dépôt.
# shellcheck disable=SC2015,SC2016,SC1112 # « A && B || refus » est voulu ; les formats sont d'apt ; ’ est du français
[ -n "${BASH_VERSION:-}" ] || {
    echo 'Erreur : lancez ce script par « bash ./init_vm.sh ».' >&2
    exit 1
}
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Les clefs qui signent les dépôts de Docker et de NVIDIA : une autre est refusée.
readonly DOCKER_FINGERPRINT=9DC858229FC7DD38854AE2D88D81803C0EBFCD88
readonly NVIDIA_FINGERPRINT=C95B321B61E88C1809C4F759DDCAE044F796ECB0
readonly CUDA_FINGERPRINT=EB693B3035CD5710E231E123A4B469963BF863CC
readonly DOCKER_PACKAGES=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)
# libgomp1 : llama.cpp ne se charge pas sans elle, et une machine nue ne l’a pas
readonly BASE_PACKAGES=(ca-certificates curl git gpg jq libgomp1 make openssh-server)
# vLLM est compilé pour CUDA 13 : il ne démarre pas sous un pilote plus ancien. Ses cartes (Turing et
# plus récentes) vont toutes avec le module ouvert ; celles d’après Hopper n’ont que lui.
readonly OLDEST_DRIVER=580
readonly UBUNTU_DRIVERS=(nvidia-driver-580-server-open nvidia-driver-580-open)
# de NVIDIA : le pilote de Debian 12 est le 535. nvidia-smi et libcuda viennent par nvidia-driver-cuda
readonly DEBIAN_DRIVER=(nvidia-driver-cuda nvidia-kernel-open-dkms nvidia-persistenced)
readonly ACCOUNT=gitlab
readonly LOG=/var/log/albert-init-vm.log
readonly SOURCES=/etc/apt/sources.list.d KEYRINGS=/etc/apt/keyrings
readonly DAEMON=/etc/docker/daemon.json
readonly UPGRADES=/etc/apt/apt.conf.d/52albert-upgrades
readonly SSHD=/etc/ssh/sshd_config.d/10-albert-gitlab.conf
readonly SUDOERS=/etc/sudoers.d/albert-gitlab

usage() {
    cat <<'FIN'
Usage : bash ./init_vm.sh [options]

Prépare cette machine pour Albert : Ubuntu 22.04 ou 24.04, Debian 12 ; à lancer par root.
Relancé, il ne fait que ce qui manque.

  --dry-run            dit ce qui serait fait, et ne change rien
  --without-gpu        ni pilote NVIDIA, ni nvidia-container-toolkit
  --without-docker     pas de Docker (installation locale)
  --with-npm           aussi nodejs et npm, pour les fiches qui viennent du registre npm
  --with-sudo          l'utilisateur gitlab peut employer sudo, avec son mot de passe
  --with-password-ssh  l'utilisateur gitlab peut ouvrir une session SSH par mot de passe
  --gpu-driver PAQUET  sur Ubuntu, ce pilote-là (nvidia-driver-580-server, par exemple)
  --env-file FICHIER   y lit les deux variables ci-dessous, une par ligne : NOM='valeur'
  -h, --help           cette aide

Variables à exporter d'abord, ou à donner par --env-file (ce qui est exporté l'emporte) :
  GITLAB_PASSWORD        mot de passe de l'utilisateur gitlab, 12 caractères au moins
  GITLAB_SSH_PUBLIC_KEY  clef publique qui lui ouvre une session : « ssh-ed25519 AAAA… nom »
FIN
}

told=no
doing='lire ce qui est demandé'
readonly TOLD=97 # d'un sous-shell : sa phrase est dite

fail() {
    printf 'Erreur : %s\n' "$1" >&2
    told=yes
    ((BASH_SUBSHELL == 0)) || exit "$TOLD"
    exit 1
}

unfinished() {
    fail "« $doing » n’a pas abouti ; le détail est dans $LOG. Corrigez, puis relancez : ce qui est fait ne sera pas refait."
}

# Une commande qui échoue arrête tout (set -e) : jamais sans un mot.
closing() {
    local code=$?
    [[ $code != "$TOLD" ]] || exit 1
    [[ $code == 0 || $told == yes ]] || unfinished
}

# --- ce qui est demandé -----------------------------------------------------------------------

dry=no gpu=yes docker=yes npm=no sudo=no passwords=no driver='' variables=''
password='' key_type='' key_body='' key_name=''

read_options() {
    while (($#)); do
        case "$1" in
            --dry-run) dry=yes ;;
            --without-gpu) gpu=no ;;
            --without-docker) docker=no ;;
            --with-npm) npm=yes ;;
            --with-sudo) sudo=yes ;;
            --with-password-ssh) passwords=yes ;;
            --gpu-driver)
                [[ ${2:-} =~ ^nvidia-driver-([0-9]{3})[a-z-]*$ ]] && ((BASH_REMATCH[1] >= OLDEST_DRIVER)) ||
                    fail "--gpu-driver veut un paquet d’Ubuntu, $OLDEST_DRIVER ou plus récent : nvidia-driver-580-server, par exemple."
                driver=$2
                shift
                ;;
            --env-file)
                variables=${2:-}
                [[ -n $variables ]] || fail '--env-file veut un fichier de variables.'
                shift
                ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) fail "l’option « $1 » n’existe pas : voyez « bash ./init_vm.sh --help »." ;;
        esac
        shift
    done
    [[ -z $driver || $gpu == yes ]] || fail '--gpu-driver et --without-gpu se contredisent.'
}

read_system() {
    local ID='' VERSION_ID='' VERSION_CODENAME='' PRETTY_NAME=''
    # shellcheck source=/dev/null
    [[ ! -r /etc/os-release ]] || . /etc/os-release
    case "$ID $VERSION_ID" in
        'ubuntu 22.04' | 'ubuntu 24.04' | 'debian 12') ;;
        *)
            fail "ce système (${PRETTY_NAME:-inconnu}) n’est pas pris en charge : il faut Ubuntu 22.04 ou 24.04, ou Debian 12."
            ;;
    esac
    system=$ID release=$VERSION_ID codename=$VERSION_CODENAME
    architecture=$(dpkg --print-architecture)
    [[ $architecture == amd64 ]] ||
        fail "cette machine est de type $architecture : Albert demande un processeur x86-64 (amd64)."
    [[ -z $driver || $system == ubuntu ]] ||
        fail '--gpu-driver n’a de sens que sur Ubuntu : Debian 12 n’a qu’un pilote, nvidia-driver-cuda.'
    ((EUID == 0)) ||
        fail "il faut être root : « sudo --preserve-env=GITLAB_PASSWORD,GITLAB_SSH_PUBLIC_KEY bash ./init_vm.sh »."
}

# Lu, jamais exécuté, comme le lisent Albert et Docker Compose ; ce qui est exporté l'emporte.
read_variables() {
    local line name value number=0 given=' ' space='[[:space:]]*' form
    form="^$space(export[[:space:]]+)?(GITLAB_PASSWORD|GITLAB_SSH_PUBLIC_KEY)$space=$space(.*)$"
    [[ -r $1 && ! -d $1 ]] ||
        fail "le fichier de variables « $1 » ne peut pas être lu : vérifiez son chemin et ses droits."
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        [[ ${line%$'\r'} =~ $form ]] || continue
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
        [[ $given != *" $name "* ]] || fail "$1, ligne $number : $name est déjà donnée plus haut."
        given+="$name "
        if [[ $value =~ ^\'([^\'\\]*)\'$space(#.*)?$ || $value =~ ^\"([^\"\\$]*)\"$space(#.*)?$ ]]; then
            value=${BASH_REMATCH[1]}
        else
            value=${value%%[[:space:]]#*}
            value=${value%"${value##*[![:space:]]}"}
            [[ $value != *[\'\"\\$]* ]] ||
                fail "$1, ligne $number : mettez la valeur de $name entre deux apostrophes, sans apostrophe ni barre oblique inverse dedans."
        fi
        [[ -v $name ]] || printf -v "$name" %s "$value"
    done <"$1"
}

# Le mot de passe quitte l'environnement : aucun des programmes lancés ensuite ne le reçoit.
read_account() {
    local name
    for name in GITLAB_PASSWORD GITLAB_SSH_PUBLIC_KEY; do
        [[ -n ${!name:-} ]] || fail "la variable $name manque : exportez-la, ou donnez-la par --env-file, puis relancez."
    done
    password=$GITLAB_PASSWORD
    unset GITLAB_PASSWORD
    ((${#password} >= 12)) || fail 'GITLAB_PASSWORD est trop court : il faut 12 caractères au moins.'
    [[ $password != *[[:cntrl:]]* ]] ||
        fail 'GITLAB_PASSWORD contient un retour à la ligne ou un caractère de contrôle : retirez-le.'
    [[ ${password,,} != *gitlab* ]] && different_enough "$password" ||
        fail 'GITLAB_PASSWORD se devine : il faut 6 caractères différents au moins, et pas « gitlab ».'
    read_key "$GITLAB_SSH_PUBLIC_KEY"
}

different_enough() { (($(printf '%s' "$1" | grep -o . | sort -u | wc -l) >= 6)); }

read_key() {
    local key=$1 body size
    [[ $key != *'PRIVATE KEY'* ]] ||
        fail 'GITLAB_SSH_PUBLIC_KEY contient une clef privée : donnez la clef publique (le fichier .pub), et changez cette clef.'
    # un retour à la ligne final vient de $(cat clef.pub) sur d'autres systèmes
    key=${key%$'\n'}
    key=${key%$'\r'}
    [[ $key != *[[:cntrl:]]* && $key =~ ^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)\ +([A-Za-z0-9+/]+={0,2})(\ .*)?$ ]] ||
        fail 'GITLAB_SSH_PUBLIC_KEY n’est pas une clef publique, sur une ligne : « ssh-ed25519 AAAA… nom » (le fichier .pub).'
    key_type=${BASH_REMATCH[1]} key_body=${BASH_REMATCH[4]} key_name=${BASH_REMATCH[5]:-}
    body=$(base64 -d <<<"$key_body" 2>/dev/null | tr '\0' . | head -c $((4 + ${#key_type}))) || body=''
    size=$(base64 -d <<<"$key_body" 2>/dev/null | wc -c) || size=0
    [[ ${body:4} == "$key_type" ]] && ((size >= 50)) ||
        fail 'GITLAB_SSH_PUBLIC_KEY est abîmée ou coupée : recopiez le fichier .pub en entier.'
    [[ $key_type != ssh-rsa ]] || ((size >= 277)) ||
        fail 'GITLAB_SSH_PUBLIC_KEY est une clef RSA trop courte : il faut 2048 bits au moins, ou « ssh-keygen -t ed25519 ».'
}

# Ce qui ferait échouer à mi-chemin, ou toucher à ce que l'on n'a pas installé.
read_obstacles() {
    [[ $docker == no ]] || docker_obstacles
    [[ $gpu == no ]] || driver_obstacles
    account_obstacles
}

docker_obstacles() {
    local package found=()
    for package in docker.io docker-compose containerd runc podman-docker; do
        ! installed "$package" || found+=("$package")
    done
    ((${#found[@]} == 0)) ||
        fail "Docker est déjà là, d’un autre dépôt : retirez-le par « apt-get remove ${found[*]} » (images et volumes restent), puis relancez."
    [[ ! -s $DAEMON ]] || ! command -v jq >/dev/null || jq -e 'type == "object"' "$DAEMON" >/dev/null 2>&1 ||
        fail "$DAEMON n’est pas un objet JSON : corrigez-le, puis relancez."
}

driver_obstacles() {
    local versions
    versions=$(driver_versions)
    [[ -z $versions ]] || recent <<<"$versions" ||
        fail "le pilote NVIDIA de cette machine est le ${versions%%$'\n'*}, et vLLM demande le $OLDEST_DRIVER ou plus récent : retirez-le par « apt-get purge '*nvidia*' », redémarrez et relancez, ou choisissez --without-gpu."
}

account_obstacles() {
    local home shell
    IFS=: read -r _ _ _ _ _ home shell < <(getent passwd "$ACCOUNT") || return 0
    [[ -d $home && $(stat -c %U "$home") == "$ACCOUNT" ]] ||
        fail "le compte $ACCOUNT existe déjà, sans dossier à lui (« $home ») : donnez-lui-en un par « install -d -o $ACCOUNT -m 0750 /home/$ACCOUNT && usermod -d /home/$ACCOUNT $ACCOUNT », puis relancez."
    [[ $shell != */nologin && $shell != */false ]] ||
        fail "le compte $ACCOUNT existe déjà, et ne peut rien lancer ($shell) : donnez-lui un shell par « usermod --shell /bin/bash $ACCOUNT », puis relancez."
    [[ ! -e $home/.ssh || -d $home/.ssh ]] ||
        fail "$home/.ssh n’est pas un dossier : déplacez-le, puis relancez."
}

# --- les étapes -------------------------------------------------------------------------------

changed=0

# step PHRASE CHECK APPLY : une étape que CHECK dit faite est passée ; sinon APPLY, puis CHECK encore.
step() {
    ! "$2" || return 0
    doing=$1
    changed=$((changed + 1))
    printf -- '- %s\n' "$1"
    [[ $dry == no ]] || return 0
    "$3"
    "$2" || unfinished
}

logged() {
    printf '\n## %s\n' "$*" >>"$LOG"
    "$@" >>"$LOG" 2>&1 </dev/null
}

# Le détail va au journal ; en cas d'échec, sa fin est montrée.
quietly() { logged "$@" || failed "$@"; }

failed() {
    tail -n 15 "$LOG" >&2
    fail "« $1 ${2:-} » a échoué : voyez ci-dessus et $LOG, puis relancez."
}

lock_seconds=600

# Au premier démarrage, cloud-init et apt-daily tiennent les verrous d'apt et de dpkg, tour à tour.
patiently() {
    local holder waiting=no end=$((SECONDS + lock_seconds))
    until logged "$@"; do
        holder=$(lock_holder) || failed "$@"
        ((SECONDS < end)) ||
            fail "apt est occupé par $holder depuis $((lock_seconds / 60)) minutes : attendez qu’il finisse, puis relancez."
        [[ $waiting == yes ]] ||
            printf '  apt est occupé par %s : attente, %d minutes au plus\n' "$holder" $((lock_seconds / 60))
        waiting=yes
        sleep 2
    done
}

# Qui tient le verrou dont la dernière commande du journal se plaint, si c'est ce qu'elle dit.
lock_holder() {
    local said pid name
    said=$(awk '/^## / { said = "" } { said = said $0 "\n" } END { printf "%s", said }' "$LOG")
    [[ $said =~ (Could not get lock|locked by another process) ]] || return 1
    [[ $said =~ (by process|with pid)\ ([0-9]+) ]] || { echo 'un autre programme' && return; }
    pid=${BASH_REMATCH[2]}
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || name='un autre programme'
    echo "$name (processus $pid)"
}

installed() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) == 'ii '* ]] || return 1
    done
}

fresh=no

refresh() {
    # une installation interrompue se finit d'abord
    patiently dpkg --force-confold --configure -a
    patiently apt-get -o Acquire::Retries=3 -q update
    fresh=yes
}

# --no-install-recommends : un serveur n'a pas besoin de ce qui va avec un bureau.
install_packages() {
    [[ $fresh == yes ]] || refresh
    patiently apt-get -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold \
        -q -y --no-install-recommends install "$@"
}

# write FICHIER DROITS : y met ce qui vient de l'entrée, d'un coup.
write() {
    local part
    install -d "$(dirname "$1")"
    part=$(mktemp "$1.XXXXXX")
    cat >"$part"
    chmod "$2" "$part"
    mv "$part" "$1"
}

holds() { [[ -f $1 && $(<"$1") == "$2" ]]; }

running() { [[ -d /run/systemd/system ]]; }

base_check() { installed "${BASE_PACKAGES[@]}"; }
base_apply() { install_packages "${BASE_PACKAGES[@]}"; }

npm_check() { installed nodejs npm; }
npm_apply() { install_packages nodejs npm; }

# --- Python -----------------------------------------------------------------------------------

# Ubuntu 22.04 n'a que Python 3.10 ; son dépôt « universe » a 3.11.
python_packages() {
    case "$system $release" in
        'ubuntu 22.04') echo 'python3.11 python3.11-venv' ;;
        *) echo 'python3 python3-venv' ;;
    esac
}

# Le premier qui convient : celui que « make install » prendra.
python_used() {
    local python
    for python in python3 python3.13 python3.12 python3.11; do
        "$python" -B -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "$python"
        return
    done
    return 1
}

python_check() { python_used >/dev/null; }

python_apply() {
    local packages
    read -ra packages < <(python_packages)
    install_packages "${packages[@]}"
}

# vLLM compile en démarrant, pour la carte qu'il trouve ; son image a déjà de quoi.
compiler_packages() {
    local python
    python=$(python_used) || read -r python _ < <(python_packages)
    echo "gcc libc6-dev $python-dev"
}

compiler_check() {
    local packages
    read -ra packages < <(compiler_packages)
    installed "${packages[@]}"
}

compiler_apply() {
    local packages
    read -ra packages < <(compiler_packages)
    install_packages "${packages[@]}"
}

# --- dépôts signés ----------------------------------------------------------------------------

# La clef d'un fichier, si elle y est seule : apt croirait toutes celles qu'il y trouve.
only_key() {
    [[ $(grep -c '^-----BEGIN' "$1" 2>/dev/null) == 1 ]] || return 0
    gpg --batch --show-keys --with-colons "$1" 2>/dev/null |
        awk -F: '$1 == "pub" { keys++; wanted = 1 } $1 == "fpr" && wanted { key = $10; wanted = 0 }
                 END { if (keys == 1) print key }'
}

# Un dépôt que l'administrateur a déjà déclaré ailleurs reste le sien.
declared() {
    local files
    files=$(grep -lsE "^[^#]*$1" /etc/apt/sources.list "$SOURCES"/*.list "$SOURCES"/*.sources) || true
    [[ -n $files && $files != "$2" ]]
}

# repository NOM ADRESSE-DE-LA-CLEF EMPREINTE : la clef, puis la source lue sur l'entrée.
repository() {
    local part key
    part=$(mktemp)
    # shellcheck disable=SC2064
    trap "rm -f '$part'" EXIT
    quietly curl --proto '=https' --tlsv1.2 --retry 3 -fsSL -o "$part" "$2"
    key=$(only_key "$part")
    [[ $key == "$3" ]] ||
        fail "la clef reçue de $2 n’est pas celle que l’on attend (${key:-aucune}, au lieu de $3) : rien n’en est gardé. Un mandataire remplace-t-il ce qu’il transmet ?"
    write "$KEYRINGS/$1.asc" 0644 <"$part"
    write "$SOURCES/$1.sources" 0644
}

docker_source() {
    printf '%s\n' 'Types: deb' "URIs: https://download.docker.com/linux/$system" "Suites: $codename" \
        'Components: stable' "Architectures: $architecture" "Signed-By: $KEYRINGS/docker.asc"
}

docker_source_check() {
    declared 'download\.docker\.com' "$SOURCES/docker.sources" || {
        holds "$SOURCES/docker.sources" "$(docker_source)" &&
            [[ $(only_key "$KEYRINGS/docker.asc") == "$DOCKER_FINGERPRINT" ]]
    }
}

docker_source_apply() {
    docker_source |
        repository docker "https://download.docker.com/linux/$system/gpg" "$DOCKER_FINGERPRINT"
    fresh=no
}

toolkit_source() {
    printf '%s\n' 'Types: deb' \
        "URIs: https://nvidia.github.io/libnvidia-container/stable/deb/$architecture" 'Suites: /' \
        "Signed-By: $KEYRINGS/nvidia-container-toolkit.asc"
}

toolkit_source_check() {
    declared 'nvidia\.github\.io/libnvidia-container' "$SOURCES/nvidia-container-toolkit.sources" || {
        holds "$SOURCES/nvidia-container-toolkit.sources" "$(toolkit_source)" &&
            [[ $(only_key "$KEYRINGS/nvidia-container-toolkit.asc") == "$NVIDIA_FINGERPRINT" ]]
    }
}

toolkit_source_apply() {
    toolkit_source |
        repository nvidia-container-toolkit https://nvidia.github.io/libnvidia-container/gpgkey "$NVIDIA_FINGERPRINT"
    fresh=no
}

cuda_source() {
    printf '%s\n' 'Types: deb' 'URIs: https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64' \
        'Suites: /' "Signed-By: $KEYRINGS/nvidia-cuda.asc"
}

cuda_source_check() {
    declared 'developer\.download\.nvidia\.com/compute/cuda/repos/debian12' "$SOURCES/nvidia-cuda.sources" || {
        holds "$SOURCES/nvidia-cuda.sources" "$(cuda_source)" &&
            [[ $(only_key "$KEYRINGS/nvidia-cuda.asc") == "$CUDA_FINGERPRINT" ]]
    }
}

cuda_source_apply() {
    cuda_source | repository nvidia-cuda \
        https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/3bf863cc.pub "$CUDA_FINGERPRINT"
    fresh=no
}

# --- Docker -----------------------------------------------------------------------------------

docker_check() { installed "${DOCKER_PACKAGES[@]}"; }
docker_apply() { install_packages "${DOCKER_PACKAGES[@]}"; }

# Ce que l'administrateur a réglé l'emporte ; les bornes du journal ne vont qu'à un pilote qui les comprend.
daemon_wanted() {
    local present='{}'
    [[ ! -s $DAEMON ]] || present=$(<"$DAEMON")
    jq -S '. as $mine
        | {"live-restore": true, "log-driver": "json-file"} * $mine
        | if ["json-file", "local"] | index($mine["log-driver"] // "json-file")
          then .["log-opts"] = {"max-size": "50m", "max-file": "3"} + (.["log-opts"] // {})
          else . end' <<<"$present"
}

daemon_check() {
    command -v jq >/dev/null && [[ -s $DAEMON ]] &&
        [[ $(jq -S . "$DAEMON" 2>/dev/null) == "$(daemon_wanted 2>/dev/null)" ]]
}

daemon_apply() {
    local wanted
    wanted=$(daemon_wanted) || fail "$DAEMON n’est pas un objet JSON : corrigez-le, puis relancez."
    write "$DAEMON" 0644 <<<"$wanted"
}

toolkit_check() { installed nvidia-container-toolkit; }
toolkit_apply() { install_packages nvidia-container-toolkit; }

runtime_check() { jq -e '.runtimes.nvidia' "$DAEMON" >/dev/null 2>&1; }
runtime_apply() { quietly nvidia-ctk runtime configure --runtime=docker --config="$DAEMON"; }

# Docker lit sa configuration à son démarrage, dont son fichier .pid garde l'heure.
restart_check() { ! running || [[ $DAEMON -ot /run/docker.pid ]]; }
restart_apply() {
    quietly systemctl enable docker containerd
    quietly systemctl restart docker
}

# --- pilote NVIDIA ----------------------------------------------------------------------------

# Ce qui sera installé, ou à défaut, sur Ubuntu, ce qui suit.
driver_names() {
    if [[ $system == debian ]]; then
        echo "${DEBIAN_DRIVER[*]}"
    elif [[ -n $driver ]]; then
        echo "$driver"
    else
        printf '%s\n' "${UBUNTU_DRIVERS[@]}"
    fi
}

# Ceux des noyaux que cette machine suit : le module sera reconstruit à chaque mise à jour.
header_names() {
    local found
    found=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' 'linux-image-*' 2>/dev/null |
        sed -nE '/^ii linux-image-([0-9]|unsigned|extra)/d; /-dbg$/d; s/^ii +linux-image-/linux-headers-/p') || true
    if [[ -n $found ]]; then
        xargs <<<"$found"
    elif [[ $system == debian ]]; then
        echo "linux-headers-$architecture"
    else
        echo linux-headers-generic
    fi
}

# Celles du pilote chargé et des paquets installés : peu importe d'où ils viennent.
driver_versions() {
    cat /sys/module/nvidia/version 2>/dev/null || true
    dpkg-query -W -f='${db:Status-Abbrev}${Package} ${Version}\n' \
        'nvidia-driver*' 'nvidia-headless*' 'nvidia-open*' 'cuda-drivers*' 2>/dev/null |
        sed -nE '/-(pinning|assistant)/d; s/^ii +[^ ]+ ([0-9]+:)?//p' || true
}

recent() { awk -F. -v oldest="$OLDEST_DRIVER" '$1 + 0 >= oldest { found = 1 } END { exit !found }'; }

# Un module seul ne sert à rien : vLLM veut libcuda, albert doctor veut nvidia-smi, et un compte
# qui n'est pas root veut nvidia-modprobe, qui fait /dev/nvidia-uvm.
driver_check() {
    recent < <(driver_versions) && command -v nvidia-smi >/dev/null && command -v nvidia-modprobe >/dev/null &&
        grep -q 'libcuda\.so\.1 ' < <(ldconfig -p)
}

driver_apply() {
    local headers names
    [[ $fresh == yes ]] || refresh
    read -ra headers < <(header_names)
    while read -ra names; do
        ! known "${names[@]}" nvidia-modprobe || {
            install_packages "${headers[@]}" "${names[@]}" nvidia-modprobe
            return
        }
    done < <(driver_names)
    if [[ $system == debian ]]; then
        fail "apt ne trouve pas ${names[*]:-${DEBIAN_DRIVER[*]}} dans le dépôt de NVIDIA : voyez $LOG, ou choisissez --without-gpu."
    fi
    fail "apt ne connaît pas ${driver:-${UBUNTU_DRIVERS[0]}} ou nvidia-modprobe : activez les dépôts « restricted » et « multiverse » d’Ubuntu, puis relancez."
}

known() {
    local package
    for package in "$@"; do
        [[ -n $(apt-cache madison "$package" 2>/dev/null) ]] || return 1
    done
}

contrib_check() {
    grep -qx contrib < <(apt-get indextargets --format '$(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null)
}

# Le pilote de NVIDIA s'appuie sur « contrib » : les miroirs sont ceux que la machine a déjà.
contrib_apply() {
    refresh
    ! contrib_check || return 0
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
        'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        awk '{
            printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: contrib\n", $1, $2
            printf "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n" }' |
        write "$SOURCES/albert-contrib.sources" 0644
    refresh
}

# --- mises à jour de sécurité -----------------------------------------------------------------

# Docker vient d'un dépôt que la distribution ne suit pas : sans ces lignes, ses failles resteraient.
# Un pilote mis à jour en marche ne répond plus jusqu'au redémarrage : il attend que l'on soit là.
upgrades() {
    printf '%s\n' '// Écrit par init_vm.sh.' 'APT::Periodic::Update-Package-Lists "1";' \
        'APT::Periodic::Unattended-Upgrade "1";'
    [[ $docker == no ]] || echo 'Unattended-Upgrade::Origins-Pattern { "site=download.docker.com"; };'
    [[ $gpu == no ]] || {
        [[ $docker == no ]] || echo 'Unattended-Upgrade::Origins-Pattern { "site=nvidia.github.io"; };'
        echo 'Unattended-Upgrade::Package-Blacklist { "^(lib)?nvidia-(?!container)"; "^libcuda"; "^linux-modules-nvidia-"; };'
    }
}

upgrades_check() { installed unattended-upgrades && holds "$UPGRADES" "$(upgrades)"; }

upgrades_apply() {
    installed unattended-upgrades || install_packages unattended-upgrades
    upgrades | write "$UPGRADES" 0644
}

# --- l'utilisateur gitlab ---------------------------------------------------------------------

sshd_rules() {
    printf '%s\n' '# Écrit par init_vm.sh.' "Match User $ACCOUNT"
    if [[ $passwords == yes ]]; then
        printf '    %s\n' 'PasswordAuthentication yes' 'AuthenticationMethods any'
    else
        printf '    %s\n' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' 'AuthenticationMethods publickey'
    fi
    printf '    %s\n' 'DisableForwarding yes' 'PermitUserRC no'
    echo 'Match all'
}

sshd_check() { holds "$SSHD" "$(sshd_rules)" && [[ -z $(sshd_refuses) ]] && sshd_read; }

# La première règle que sshd n'appliquerait pas : pour lui, ce qui est lu d'abord l'emporte.
sshd_refuses() {
    local said rule
    install -d -m 0755 /run/sshd # sans ce dossier, que fait son démarrage, il ne répond pas
    said=$(sshd -T -C "user=$ACCOUNT,host=poste,addr=192.0.2.1" 2>/dev/null) || said=''
    while read -r rule; do
        grep -qxF -- "$rule" <<<"$said" || {
            echo "$rule"
            return
        }
    done < <(sshd_rules | sed -nE 's/^    (.*)/\L\1/p')
}

sshd_pid() {
    local pid
    pid=$(cat /run/sshd.pid 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == sshd ]] && echo "$pid"
}

# sshd ne relit ses fichiers qu'à son démarrage et quand on le lui dit : il écrit alors ce .pid.
sshd_read() {
    ! sshd_pid >/dev/null ||
        [[ -z $(find /etc/ssh/sshd_config /etc/ssh/sshd_config.d -newer /run/sshd.pid -print -quit) ]]
}

sshd_apply() {
    local rule pid try
    sshd_rules | write "$SSHD" 0644
    rule=$(sshd_refuses)
    [[ -z $rule ]] ||
        fail "sshd n’applique pas « $rule » à $ACCOUNT : mettez « Include /etc/ssh/sshd_config.d/*.conf » en tête de /etc/ssh/sshd_config, retirez ce qui dit autre chose avant $SSHD (« sshd -t » doit réussir), puis relancez."
    pid=$(sshd_pid) || return 0
    kill -HUP "$pid"
    for ((try = 0; try < 100; try++)); do
        ! sshd_read || return 0
        sleep 0.1
    done
}

account_check() { getent passwd "$ACCOUNT" >/dev/null; }
account_apply() { quietly useradd --create-home --user-group --shell /bin/bash "$ACCOUNT"; }

# Le mot de passe ne passe que par une entrée : ni argument, ni fichier, ni journal.
password_check() {
    local hash
    hash=$(getent shadow "$ACCOUNT" | cut -d: -f2) || return 1
    [[ $hash == \$* ]] || return 1
    printf '%s\n%s' "$hash" "$password" |
        perl -e 'chomp($h = <STDIN>); local $/; $p = <STDIN>; exit((crypt($p, $h) // "") ne $h)'
}

password_apply() { printf '%s:%s\n' "$ACCOUNT" "$password" | chpasswd 2>>"$LOG"; }

# Au nom de l'utilisateur : dans son dossier, root ne suit aucun lien qu'il y aurait mis.
as_account() { runuser -u "$ACCOUNT" -- bash -c "cd ~$ACCOUNT && $1" 2>>"${noise:-$LOG}"; }

key_check() {
    account_check && printf '%s %s' "$key_type" "$key_body" | noise=/dev/null as_account '
        read -r -d "" key
        [[ $(stat -c %a .ssh) == 700 && $(stat -c %a .ssh/authorized_keys) == 600 ]] &&
            grep -v "^#" .ssh/authorized_keys | grep -qF -- "$key"'
}

key_apply() {
    printf '%s %s%s\n' "$key_type" "$key_body" "$key_name" | as_account '
        set -e
        umask 077
        mkdir -p .ssh
        chmod 700 .ssh
        IFS= read -r line
        read -r type body _ <<<"$line"
        part=$(mktemp .ssh/authorized_keys.XXXXXX)
        [[ ! -f .ssh/authorized_keys ]] || sed -e "\$a\\" .ssh/authorized_keys >"$part"
        grep -v "^#" "$part" | grep -qF -- "$type $body" || printf "%s\n" "$line" >>"$part"
        mv "$part" .ssh/authorized_keys'
}

groups_hold() { [[ " $(id -nG "$ACCOUNT" 2>/dev/null) " == *" $1 "* ]]; }

docker_group_check() { groups_hold docker; }
docker_group_apply() { quietly usermod --append --groups docker "$ACCOUNT"; }

sudo_rule() { echo "$ACCOUNT ALL=(ALL:ALL) ALL"; }

sudo_check() { installed sudo && holds "$SUDOERS" "$(sudo_rule)"; }

sudo_apply() {
    installed sudo || install_packages sudo
    quietly visudo -cf <(sudo_rule)
    sudo_rule | write "$SUDOERS" 0440
}

no_sudo_check() { [[ ! -e $SUDOERS ]] && ! groups_hold sudo && ! groups_hold admin; }

no_sudo_apply() {
    local group
    rm -f "$SUDOERS"
    for group in sudo admin; do
        ! groups_hold "$group" || quietly gpasswd --delete "$ACCOUNT" "$group"
    done
}

# --- le tout ----------------------------------------------------------------------------------

steps() {
    step "installer ${BASE_PACKAGES[*]}" base_check base_apply
    step "installer Python ($(python_packages))" python_check python_apply
    [[ $npm == no ]] || step 'installer nodejs et npm' npm_check npm_apply
    steps_security
    [[ $docker == no ]] || steps_docker
    [[ $gpu == no ]] || steps_gpu
    [[ $docker == no ]] || step 'démarrer Docker avec cette configuration' restart_check restart_apply
}

steps_security() {
    local way='clef seulement'
    [[ $passwords == no ]] || way='clef ou mot de passe'
    step 'activer les mises à jour de sécurité (unattended-upgrades)' upgrades_check upgrades_apply
    # avant l'utilisateur : son mot de passe n'ouvre jamais SSH, pas même un instant
    step "limiter les sessions SSH de $ACCOUNT ($way, sans redirection) : $SSHD" sshd_check sshd_apply
    step "créer l’utilisateur $ACCOUNT" account_check account_apply
    step "donner son mot de passe à $ACCOUNT" password_check password_apply
    step "autoriser la clef publique ($key_type) de $ACCOUNT" key_check key_apply
    if [[ $sudo == yes ]]; then
        step "permettre sudo à $ACCOUNT, avec son mot de passe : $SUDOERS" sudo_check sudo_apply
    else
        step "retirer sudo à $ACCOUNT" no_sudo_check no_sudo_apply
    fi
}

steps_docker() {
    step "déclarer le dépôt de Docker pour $system $codename (clef $DOCKER_FINGERPRINT)" \
        docker_source_check docker_source_apply
    step "installer ${DOCKER_PACKAGES[*]}" docker_check docker_apply
    step "borner les journaux des conteneurs, et les garder en marche quand Docker redémarre : $DAEMON" \
        daemon_check daemon_apply
    step "mettre $ACCOUNT dans le groupe docker" docker_group_check docker_group_apply
}

steps_gpu() {
    local names
    mapfile -t names < <(driver_names)
    [[ $system == ubuntu ]] || {
        step 'ajouter contrib aux dépôts de Debian' contrib_check contrib_apply
        step "déclarer le dépôt CUDA de NVIDIA (clef $CUDA_FINGERPRINT)" cuda_source_check cuda_source_apply
    }
    step "installer le pilote NVIDIA (${names[0]}${names[1]:+, à défaut ${names[1]}} ; nvidia-modprobe $(header_names))" \
        driver_check driver_apply
    [[ $docker == yes ]] || {
        step "installer de quoi compiler, ce que vLLM fait en démarrant ($(compiler_packages))" \
            compiler_check compiler_apply
        return 0
    }
    step "déclarer le dépôt de nvidia-container-toolkit (clef $NVIDIA_FINGERPRINT)" \
        toolkit_source_check toolkit_source_apply
    step 'installer nvidia-container-toolkit' toolkit_check toolkit_apply
    step "faire connaître les cartes NVIDIA à Docker : $DAEMON" runtime_check runtime_apply
}

advice() {
    [[ $gpu == no || -e /sys/module/nvidia ]] ||
        echo 'Redémarrez la machine : le pilote NVIDIA sera chargé (« nvidia-smi » le dira).'
    grep -q '^Status: active' < <(ufw status 2>/dev/null || true) ||
        echo 'Aucun pare-feu ufw n’est en marche : voyez « Reverse proxy » dans le guide.'
}

main() {
    trap closing EXIT
    read_options "$@"
    read_system
    [[ -z $variables ]] || read_variables "$variables"
    read_account
    read_obstacles
    [[ $dry == yes ]] || {
        umask 022
        [[ -e $LOG ]] || install -m 0640 /dev/null "$LOG"
    }
    [[ $dry == no ]] || echo 'Ce qui serait fait :'
    steps
    if ((changed == 0)); then
        echo 'Rien à faire : cette machine est prête.'
    elif [[ $dry == yes ]]; then
        echo 'Rien n’a été changé.'
    else
        echo 'La machine est prête.'
        advice
    fi
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
