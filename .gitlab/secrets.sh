# Lu par « . .gitlab/secrets.sh » au début d'une tâche : chaque secret, variable de type fichier, devient un fichier que
# son compte seul peut lire, effacé à la fin. GitLab ne masque que ce qui tient en une ligne : un fichier en base64
# (« base64 -w0 ») est donc décodé ici ; tel quel, il est pris tel quel.
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
# Windows met une marque au début et finit ses lignes autrement ; l'éditeur de GitLab oublie la dernière fin de ligne.
plain() {
  LC_ALL=C awk 'NR == 1 { sub(/^\357\273\277/, "") } { sub(/[ \t\r]+$/, ""); print }'
}
for name in ENV_FILE SSH_PRIVATE_KEY SSH_KNOWN_HOSTS SSH_CONFIG; do
  eval "file=\${$name:-}"
  case $name in
  SSH_CONFIG) [ -n "$file" ] || continue ;;
  esac
  if [ ! -f "$file" ]; then
    echo "Erreur : $name doit être une variable GitLab de type « File », dont la portée a cet environnement (et protégée, si la branche l'est)." >&2
    exit 1
  fi
  touch "$secrets/$name" "$secrets/.given"
  chmod 600 "$secrets/$name" "$secrets/.given"
  plain <"$file" >"$secrets/$name"
  # La forme seule en décide. Un base64 abîmé, pris tel quel, serait montré par qui n'y trouve pas ce qu'il attend.
  if ! grep -Eqv '^ *[A-Za-z0-9+/]*={0,2}$' "$secrets/$name"; then
    tr -d ' \n' <"$secrets/$name" >"$secrets/.given"
    base64 --decode "$secrets/.given" 2>/dev/null >"$secrets/$name" || {
      echo "Erreur : $name est du base64 incomplet : refaites-le par « base64 -w0 FICHIER » et donnez-le en entier." >&2
      exit 1
    }
    cp "$secrets/$name" "$secrets/.given"
    plain <"$secrets/.given" >"$secrets/$name"
  fi
  export "$name=$secrets/$name"
done
