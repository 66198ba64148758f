"""Trains the PyTorch networks of the zoo and exports each in several ways."""

import io
import math

import onnx
import torch
import zoo
from torch import nn

STEPS = (0, 40, 200)
BATCH, RATE, SEED = 32, 3e-3, 7


class ConvBn(nn.Module):
    """BatchNorm after a Conv without bias, a Conv with bias and a Linear."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(8, eps=1e-3)
        self.fc1 = nn.Linear(128, 16)
        self.bn3 = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.fc1(x.flatten(1))).relu()
        return self.fc2(x)


class Attention(nn.Module):
    """Self-attention with one Linear for queries, keys and values."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        samples, length, width = x.shape
        split = (samples, length, 3, self.heads, width // self.heads)
        q, k, v = self.qkv(x).reshape(split).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(samples, length, width))


class Block(nn.Module):
    """Attention and MLP, each after a LayerNorm and added to its input."""

    def __init__(self, width):
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = Attention(width, 2)
        self.ln2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.ln2(x))))


class Transformer(nn.Module):
    """8 rows of 8 pixels as tokens; positions for 12, of which 8 are used."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.pos = nn.Parameter(torch.randn(1, 12, 16) * 0.1)
        self.blocks = nn.ModuleList(Block(16) for _ in range(2))
        self.ln = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.embed(x) + self.pos[:, : x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x).mean(1))


class Mlp(nn.Module):
    """Three hidden layers of one width, each with LayerNorm: many tensors of equal shape."""

    def __init__(self):
        super().__init__()
        self.fc1, self.ln1 = nn.Linear(64, 24), nn.LayerNorm(24)
        self.fc2, self.ln2 = nn.Linear(24, 24), nn.LayerNorm(24)
        self.fc3, self.ln3 = nn.Linear(24, 24), nn.LayerNorm(24)
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.ln1(self.fc1(x)).relu()
        x = self.ln2(self.fc2(x)).relu()
        x = self.ln3(self.fc3(x)).relu()
        return self.head(x)
