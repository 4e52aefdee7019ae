"""Every metric there is; ``docs/supervision.md`` has a line for each, and a test says so."""

from __future__ import annotations

from albert.api.metrics.families import Family

REQUESTS = Family("albert_requests_total", "counter", "Appels terminés d'un modèle, par statut")
IN_FLIGHT = Family("albert_requests_in_flight", "gauge", "Appels en cours d'un modèle")
DURATION = Family("albert_request_seconds", "histogram", "Durée entière d'un appel")
QUEUE = Family("albert_queue_seconds", "histogram", "Attente d'un appel avant son tour")
FIRST_TOKEN = Family(
    "albert_first_token_seconds", "histogram", "Délai du premier octet d'une réponse en flux"
)
TOKENS = Family("albert_tokens_total", "counter", "Jetons lus, écrits, et lus depuis un cache")
SPEED = Family(
    "albert_tokens_per_second", "histogram", "Vitesse d'écriture des réponses, après le premier mot"
)
RETRIES = Family("albert_retries_total", "counter", "Réplicas demandés en plus du premier")
FALLBACKS = Family("albert_fallbacks_total", "counter", "Appels auxquels un autre modèle a répondu")
ANSWERS = Family("albert_http_answers_total", "counter", "Réponses HTTP, refus compris")
TOKEN_CHECKS = Family(
    "albert_token_checks_total", "counter", "Vérifications de jeton : de mémoire, ou par la base"
)
REPLICA_STATE = Family("albert_replica_state", "gauge", "1 pour l'état où se trouve un réplica")
REPLICA_IN_FLIGHT = Family("albert_replica_requests_in_flight", "gauge", "Appels chez un réplica")
REPLICA_WEIGHT = Family("albert_replica_weight", "gauge", "Poids d'un réplica dans le partage")
REPLICA_LOST = Family("albert_replica_lost_total", "counter", "Ouvertures du disjoncteur")
BUILD = Family("albert_build_info", "gauge", "Version servie ; vaut toujours 1")
MEMORY = Family("process_resident_memory_bytes", "gauge", "Mémoire du processus")
PROCESSOR = Family("process_cpu_seconds_total", "counter", "Temps de processeur du processus")
STARTED = Family("process_start_time_seconds", "gauge", "Début du processus, depuis 1970")
FILES = Family("process_open_fds", "gauge", "Fichiers et connexions ouverts")

ALL = (
    *(REQUESTS, IN_FLIGHT, DURATION, QUEUE, FIRST_TOKEN, TOKENS, SPEED, RETRIES, FALLBACKS),
    *(ANSWERS, TOKEN_CHECKS, REPLICA_STATE, REPLICA_IN_FLIGHT, REPLICA_WEIGHT, REPLICA_LOST),
    *(BUILD, MEMORY, PROCESSOR, STARTED, FILES),
)
