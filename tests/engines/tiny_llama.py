"""Make a language model of two layers, with random weights: ``python tiny_llama.py FOLDER``.

Run it where transformers is installed. It writes what a repository of a real model holds: a
tokenizer learned on our own pages, a chat template, bfloat16 weights as safetensors. What the
model says is noise; all that surrounds it is real.
"""

import sys
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
UNKNOWN, START, END = "<unk>", "<|im_start|>", "<|im_end|>"
CONTEXT = 2048

TEMPLATE = """\
{%- if tools %}<|im_start|>system
Outils : {{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def tokenizer() -> PreTrainedTokenizerFast:
    learned = ByteLevelBPETokenizer()
    learned.train([str(page) for page in PAGES], 2000, special_tokens=[UNKNOWN, START, END])
    return PreTrainedTokenizerFast(
        tokenizer_object=learned._tokenizer,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        chat_template=TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def main(folder: Path) -> None:
    words = tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        )
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
