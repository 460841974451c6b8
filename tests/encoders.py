"""Encoders of random weights, saved as real ones are: for what does not depend on their numbers."""

from pathlib import Path

WORDS = (
    "the", "a", "red", "blue", "cup", "dog", "is", "on", "left", "right", "of", "table", "answer",
    "yes", "no", "2", "3", "what", "where", "near",
)  # fmt: skip
PATCH_PX = 14


def save_text_encoder(folder: Path) -> Path:
    """Save a text encoder of 16 dimensions, with a tokenizer of twenty words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="[UNK]",  # noqa: S106 - a token
        pad_token="[PAD]",  # noqa: S106 - a token
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def save_image_encoder(folder: Path) -> Path:
    """Save a DINOv2 of 32 dimensions and one layer."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=2,
        image_size=4 * PATCH_PX,
        patch_size=PATCH_PX,
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder
