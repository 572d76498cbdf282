
3.0.0
	Fluxgauge2v1beta2"Ó"
–

I/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/metrics/{name}È	"Å	
customMetrics_v1beta2Reads the sum of a metric over all MiniClusters of a namespace. It is never a sum of some of them: where one value is unknown, so is the sum.*/readCustomMetricsV1beta2MetricValueForNamespace2I
G
	namespacepath"The namespace of the MiniClusters. R
 Êstring2H
F
namepath&The name of the metric: node_up_count. R
 Êstring2¸
µ
metricLabelSelectorquery†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance.R
 ÊstringBó
200ë
è
OKá
m
application/jsonY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
€
#application/vnd.kubernetes.protobufY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
m
application/yamlY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionget
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2

ã
Z/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/{resource}/{name}/{subresource}„"
customMetrics_v1beta2aReads the newest value of a metric of one object in a namespace, or of all that a selector picks.*-listCustomMetricsV1beta2NamespacedMetricValue2I
G
	namespacepath"The namespace of the MiniClusters. R
 Êstring2”
‘
resourcepathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods. R
 Êstring2`
^
namepath>The name of the object, or * for all that labelSelector picks. R
 Êstring2Z
X
subresourcepath1The name of the metric: node_up_count, broker_up. R
 Êstring2]
[
labelSelectorquery3Picks objects by their labels, where the name is *.R
 Êstring2¸
µ
metricLabelSelectorquery†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance.R
 ÊstringBó
200ë
è
OKá
m
application/jsonY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
€
#application/vnd.kubernetes.protobufY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
m
application/yamlY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2

Ñ
C/apis/custom.metrics.k8s.io/v1beta2/{resource}/{name}/{subresource}‰"†
customMetrics_v1beta2UReads a metric of objects that live in no namespace. No such object has metrics here.*#listCustomMetricsV1beta2MetricValue2”
‘
resourcepathmThe plural of the kind with its group, such as miniclusters.flux-framework.org, jobs.batch, services or pods. R
 Êstring2`
^
namepath>The name of the object, or * for all that labelSelector picks. R
 Êstring2@
>
subresourcepathThe name of the metric. R
 Êstring2]
[
labelSelectorquery3Picks objects by their labels, where the name is *.R
 Êstring2¸
µ
metricLabelSelectorquery†Picks a series of the metric by its labels: queue=batch is that of one queue. Without it the value is that of the whole Flux instance.R
 ÊstringBó
200ë
è
OKá
m
application/jsonY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
€
#application/vnd.kubernetes.protobufY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList
m
application/yamlY
WU
S#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList;
4004
2
0A Status: a selector or the path cannot be read.[
404T
R
PA Status: there is no such object or metric, or its value is too old or unknown.j
x-kubernetes-actionlist
ji
x-kubernetes-group-version-kindFDgroup: custom.metrics.k8s.io
kind: MetricValueList
version: v1beta2
*»"
¸"
ó
"io.k8s.api.core.v1.ObjectReferenceÌ
ÉÊobjectúõ
P

apiVersionB
@Êstring’4The group and version of the kind, such as batch/v1.
D
	fieldPath7
5Êstring’)A part of the object. Not set by metrics.
4
kind,
*Êstring’The kind, such as MiniCluster.
-
name%
#Êstring’The name of the object.
K
	namespace>
<Êstring’0The namespace of the object, if it lives in one.
M
resourceVersion:
8Êstring’,A version of the object. Not set by metrics.
Z
uidS
QÊstring’ETells the object from later ones of the same name, where it is known.’Names an object of the cluster.¢"
x-kubernetes-map-type	atomic

à
-io.k8s.apimachinery.pkg.api.resource.Quantity®
«Ú
	ÊstringÚ
	Ênumber’‹A number with a suffix: 1500m is 1.5, 2k is 2000, 1Ki is 1024. Written as text with the shortest digits, and never finer than a thousandth.
ã
2io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector¬
©Êobjectú¬
Ì
matchExpressions·
´ÊarrayòX
VT
R#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement’(Requirements on labels. All must be met.¢#
x-kubernetes-list-type	atomic

[
matchLabelsL
JÊobject‚

	Êstring’.Labels with the one value that each must have.’HPicks what meets all of its requirements; an empty one picks everything.¢"
x-kubernetes-map-type	atomic

€
=io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement¾
»ºkeyºoperatorÊobjectúö
+
key$
"Êstring’The name of the label.
<
operator0
.Êstring’"In, NotIn, Exists or DoesNotExist.
ˆ
values~
|Êarrayò

	Êstring’;The values of In and NotIn. Empty with the other operators.¢#
x-kubernetes-list-type	atomic
’$What the value of one label must be.
™
-io.k8s.apimachinery.pkg.apis.meta.v1.ListMetaç
äÊobjectú·
I
continue=
;Êstring’/Where the next page begins. Not set by metrics.
b
remainingItemCountL
JÊinteger’5Items that follow on later pages. Not set by metrics.šint64
M
resourceVersion:
8Êstring’,The version of the list. Not set by metrics.
7
selfLink+
)Êstring’No longer used by Kubernetes.’What lists say of themselves.
~
)io.k8s.apimachinery.pkg.apis.meta.v1.TimeQ
OÊstring’7A moment as RFC 3339 has it, in UTC with whole seconds.š	date-time
ã
?io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricIdentifierŸ
œºnameºselectorÊobjectúØ
-
name%
#Êstring’The name of the metric.
¦
selector™
–ÒKI
G#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector’EThe metricLabelSelector of the request, or null where there was none.’"A metric, and which of its series.
¤
:io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueå
âºdescribedObjectºmetricº	timestampºvalueÊobjectúÿ
Y

apiVersionK
IÊstring’=Not set inside a list: the list says it for all of its items.
o
describedObject\
ZÒ;9
7#/components/schemas/io.k8s.api.core.v1.ObjectReference’What the value describes.
S
kindK
IÊstring’=Not set inside a list: the list says it for all of its items.
’
metric‡
„ÒXV
T#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricIdentifier’&Which metric, and which of its series.

	timestamp
ŒÒB@
>#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time’DWhen the value was known to be right, which may be some seconds ago.
“
value‰
†ÒFD
B#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity’:The value, in the unit of the metric: a count, or seconds.

windowSeconds
}Êinteger’hSeconds before the timestamp that the value is an average over. Absent: the value is that of one moment.šint64’$One value of a metric of one object.
Ê
>io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValueList‡
„ºitemsÊobjectúÅ
O

apiVersionA
?Êstring’3The group and version in which the list is spelled.
º
items°
­ÊarrayòU
SQ
O#/components/schemas/io.k8s.metrics.pkg.apis.custom_metrics.v1beta2.MetricValue’JThe values. A metric that is not known now is an error, not an empty list.
+
kind#
!Êstring’The kind of the list.
‡
metadata{
yÒFD
B#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta’-Empty: metrics have no versions and no pages.’5The newest values of one metric, one for each object.¢o
x-kubernetes-group-version-kindLJ- group: custom.metrics.k8s.io
  kind: MetricValueList
  version: v1beta2
