# Golden values of Ross: sklearn's mutual_info helper and a by-formula computation
import math, numpy as np
from sklearn.feature_selection._mutual_info import _compute_mi_cd
from scipy.special import digamma
from scipy.spatial import cKDTree
M=(1<<64)-1
class SM:
    def __init__(s,seed): s.s=seed
    def next(s):
        s.s=(s.s+0x9E3779B97F4A7C15)&M
        z=s.s; z=((z^(z>>30))*0xBF58476D1CE4E5B9)&M; z=((z^(z>>27))*0x94D049BB133111EB)&M
        return z^(z>>31)
    def u(s): return (s.next()>>11)*2.0**-53
    def normal(s):
        u1=s.u();u2=s.u(); r=math.sqrt(-2*math.log(1-u1)); return r*math.cos(2*math.pi*u2), r*math.sin(2*math.pi*u2)
def ross(x,l,k):
    # own computation, multi-dimensional
    cls,cnt=np.unique(l,return_counts=True)
    keep=np.isin(l,cls[cnt>1]); x=x[keep]; l=l[keep]; n=len(l)
    D=np.abs(x[:,None,:]-x[None,:,:]).max(-1)
    t=np.zeros(n)
    for i in range(n):
        same=np.sort(D[i][l==l[i]])
        N=len(same); ki=min(k,N-1); r=same[ki]
        m=(D[i]<=r).sum()-1
        t[i]=digamma(n)+digamma(ki)-digamma(N)-digamma(m)
    return t.mean(), t.std(ddof=1)/math.sqrt(n)
def skl_multi(x,l,k):
    # the same formula through sklearn's neighbors, in several dimensions
    from sklearn.neighbors import NearestNeighbors, KDTree
    n=len(l); r=np.empty(n); lc=np.empty(n); ka=np.empty(n)
    for c in np.unique(l):
        w=l==c; N=w.sum()
        if N>1:
            kk=min(k,N-1); d,_=NearestNeighbors(n_neighbors=kk,metric='chebyshev').fit(x[w]).kneighbors()
            r[w]=np.nextafter(d[:,-1],0); ka[w]=kk
        lc[w]=N
    w=lc>1
    m=KDTree(x[w],metric='chebyshev').query_radius(x[w],r[w],count_only=True)
    return digamma(w.sum())+digamma(ka[w]).mean()-digamma(lc[w]).mean()-digamma(m).mean()
g=SM(3); n=300
labels=[];xs=[]
for i in range(n):
    lab=int(g.u()*4); a,b=g.normal(); labels.append(lab); xs.append((a+lab, b*(1+0.5*lab)))
labels[7]=9
x=np.array(xs); l=np.array(labels)
import sklearn, numpy, scipy
print(sklearn.__version__,numpy.__version__,scipy.__version__, np.unique(l,return_counts=True))
for k in (1,3,5,100):
    print(k, 'sklearn 1d', repr(_compute_mi_cd(x[:,0],l,k)), repr(ross(x[:,:1],l,k)), '2d', repr(skl_multi(x,l,k)), repr(ross(x,l,k)))
