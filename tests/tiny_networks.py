"""Saved networks of random weights: every family the workers load, a few thousand parameters each.

Weights are seeded, tokenizers know a few words; what is wrong with them is wrong with the code that
reads published checkpoints too.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

LABELS = ("red sphere", "blue box", "sky")


def save(net: Any, folder: Path) -> Path:
    net.save_pretrained(folder)
    return folder


def spread(net: nn.Module, gain: float = 2.0) -> None:
    """Draw every weight anew, so that no output is all but constant."""
    for name, parameter in net.named_parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter.flatten(1), gain=gain)
        elif name.endswith("bias"):
            nn.init.normal_(parameter, std=0.5)


def sam2(folder: Path, *, image_px: int = 64, as_video: bool = False) -> Path:
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2PromptEncoderConfig,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VisionConfig,
    )

    torch.manual_seed(1)
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[image_px, image_px],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 4],
        window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[image_px // s, image_px // s] for s in (4, 8, 16)],
        fpn_hidden_size=32,
    )
    parts = {
        "vision_config": vision,
        "prompt_encoder_config": Sam2PromptEncoderConfig(hidden_size=32, image_size=image_px),
        "mask_decoder_config": Sam2MaskDecoderConfig(
            hidden_size=32, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=32
        ),
    }
    if as_video:
        small = {
            "memory_attention_hidden_size": 32,
            "memory_attention_num_layers": 1,
            "memory_attention_feed_forward_hidden_size": 32,
            "memory_encoder_hidden_size": 32,
            "memory_encoder_output_channels": 8,
            "memory_fuser_embed_dim": 32,
            "memory_fuser_intermediate_dim": 32,
        }
        net: Any = Sam2VideoModel(Sam2VideoConfig(**parts, image_size=image_px, **small))
    else:
        net = Sam2Model(Sam2Config(**parts))
    torch.manual_seed(3)
    spread(net.mask_decoder, gain=2.0)
    return save(net, folder)


def mask2former(folder: Path) -> Path:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    torch.manual_seed(2)
    config = Mask2FormerConfig(
        backbone_config=_swin(),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        dim_feedforward=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=12,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    return save(_sure(Mask2FormerForUniversalSegmentation(config)), folder)


def maskformer(folder: Path) -> Path:
    from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation

    torch.manual_seed(3)
    decoder = DetrConfig(
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=12,
        num_labels=len(LABELS),
    )
    config = MaskFormerConfig(
        backbone_config=_swin(),
        decoder_config=decoder,
        fpn_feature_size=32,
        mask_feature_size=32,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    return save(_sure(MaskFormerForInstanceSegmentation(config)), folder)


def oneformer(folder: Path) -> Path:
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    torch.manual_seed(4)
    config = OneFormerConfig(
        backbone_config=_swin(),
        num_queries=12,
        num_attention_heads=2,
        hidden_dim=32,
        conv_dim=32,
        mask_dim=32,
        encoder_layers=1,
        encoder_feedforward_dim=16,
        decoder_layers=2,
        dim_feedforward=16,
        query_dec_layers=1,
        task_seq_len=24,
        max_seq_len=24,
        text_encoder_width=32,
        text_encoder_context_length=24,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=200,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    clip_tokenizer(24, pad="<|endoftext|>").save_pretrained(folder)
    return save(_sure(OneFormerForUniversalSegmentation(config)), folder)


def _swin(**changed: Any) -> Any:
    from transformers import SwinConfig

    names = [f"stage{n}" for n in range(1, 5)]
    small = {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 4}
    return SwinConfig(image_size=64, **(small | {"out_features": names} | changed))


def _sure(net: nn.Module) -> nn.Module:
    """Make queries differ and be sure of themselves, so that some become segments."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=2.0)
        if name.endswith(("class_predictor", "class_embed")) and isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2.0)
            nn.init.constant_(module.bias[-1:], -2.0)  # seldom "nothing"
    return net


def clip_tokenizer(length: int, pad: str = "!") -> Any:
    """Return a CLIP tokenizer that spells every word letter by letter."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], pad_token=pad, model_max_length=length)


def owlv2(folder: Path, *, image_px: int = 64) -> Path:
    from transformers import (
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2TextConfig,
        Owlv2VisionConfig,
    )

    torch.manual_seed(5)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    tokenizer = clip_tokenizer(16)
    text = Owlv2TextConfig(
        **small,
        num_attention_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    vision = Owlv2VisionConfig(**small, num_attention_heads=2, image_size=image_px, patch_size=8)
    config = Owlv2Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16
    )
    net = Owlv2ForObjectDetection(config)
    spread(net, gain=2.0)
    tokenizer.save_pretrained(folder)
    return save(net, folder)


def grounding_dino(folder: Path) -> Path:
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(6)
    tokenizer = bert_tokenizer()
    text = {
        "model_type": "bert",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 1200,
    }
    config = GroundingDinoConfig(
        backbone_config=_swin(out_features=["stage2", "stage3", "stage4"]),
        text_config=text,
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        num_queries=20,
        max_text_len=24,
    )
    net = GroundingDinoForObjectDetection(config)
    for head in net.bbox_embed:
        nn.init.normal_(head.layers[-1].weight, std=0.5)
        nn.init.normal_(head.layers[-1].bias, std=0.5)
    tokenizer.save_pretrained(folder)
    return save(net, folder)


def bert_tokenizer() -> Any:
    """Return a BERT tokenizer whose special tokens have the published numbers."""
    from transformers import BertTokenizer

    words = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: "."}
    words |= {1029: "?"} | {1030 + n: chr(ord("a") + n) for n in range(26)}
    words |= {1060 + n: "##" + chr(ord("a") + n) for n in range(26)}
    words |= {1090: "red", 1091: "mug", 1092: "blue", 1093: "box", 1094: "dog"}
    vocabulary = {words.get(n, f"[unused{n}]"): n for n in range(1100)}
    return BertTokenizer(vocab=vocabulary)
