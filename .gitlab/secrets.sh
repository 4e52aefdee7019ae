# Lu par « . .gitlab/secrets.sh » au début d'une tâche : chaque secret, variable de type fichier, devient un fichier que
# son compte seul peut lire, effacé à la fin. GitLab ne masque que ce qui tient en une ligne : un fichier en base64
# (« base64 -w0 ») est donc décodé ici ; tel quel, il est pris tel quel.
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
for name in ENV_FILE SSH_PRIVATE_KEY SSH_KNOWN_HOSTS SSH_CONFIG; do
  eval "file=\${$name:-}"
  case $name in
  SSH_CONFIG) [ -n "$file" ] || continue ;;
  esac
  if [ ! -f "$file" ]; then
    echo "Erreur : $name doit être une variable GitLab de type « File », dont la portée a cet environnement (et protégée, si la branche l'est)." >&2
    exit 1
  fi
  touch "$secrets/$name"
  chmod 600 "$secrets/$name"
  if ! base64 --decode "$file" 2>/dev/null >"$secrets/$name"; then
    # Windows finit ses lignes autrement, et l'éditeur de GitLab oublie la dernière fin de ligne.
    awk '{ sub(/\r$/, ""); print }' "$file" >"$secrets/$name"
  fi
  export "$name=$secrets/$name"
done
